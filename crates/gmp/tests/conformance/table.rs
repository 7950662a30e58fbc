//! `--table [NAME...] [--repeat N] [--list]`: runs scenarios and prints a row for each, for `cargo xtask conformance`.

use crate::harness::Named;
use std::process::ExitCode;

/// What was asked for.
struct Wanted {
    names: Vec<&'static str>,
    repeat: usize,
    list: bool,
}

/// Prints the table of these scenarios; `difference` runs one scenario once. Returns success only if all agree with Go.
pub(crate) fn print(
    scenarios: &[Named],
    arguments: &[String],
    difference: fn(&'static str) -> Option<String>,
) -> ExitCode {
    let wanted = match parse(scenarios, arguments) {
        Ok(wanted) => wanted,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    if wanted.list {
        wanted.names.iter().for_each(|name| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    let width = wanted.names.iter().map(|name| name.len()).max().unwrap_or(0);
    println!("| {:width$} | runs | result |", "scenario");
    println!("| {:-<width$} | ---: | --- |", "");
    let mut agree = 0;
    for name in &wanted.names {
        let found = (1..=wanted.repeat).find_map(|run| Some((run, difference(name)?)));
        let (runs, result) = found.unwrap_or_else(|| (wanted.repeat, String::from("ok")));
        agree += usize::from(result == "ok");
        println!("| {name:width$} | {runs:4} | {result} |");
    }
    println!("\n{agree} of {} agree with Go", wanted.names.len());
    if agree == wanted.names.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(scenarios: &[Named], arguments: &[String]) -> Result<Wanted, String> {
    let all = || scenarios.iter().map(|scenario| scenario.name);
    let mut wanted = Wanted { names: Vec::new(), repeat: 1, list: false };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--repeat" {
            let times = arguments.next().and_then(|times| times.parse().ok()).filter(|times| *times > 0);
            wanted.repeat = times.ok_or("--repeat wants a number above 0")?;
        } else if argument == "--list" {
            wanted.list = true;
        } else if let Some(name) = all().find(|name| name == argument) {
            wanted.names.push(name);
        } else {
            return Err(format!(
                "no scenario {argument:?}; there are: {}",
                all().collect::<Vec<_>>().join(", ")
            ));
        }
    }
    if wanted.names.is_empty() {
        wanted.names = all().collect();
    }
    Ok(wanted)
}

/// What the command line may say.
pub(crate) fn unknown_names_are_answered_with_the_known_ones() {
    let scenarios = [Named { name: "one", call: || {} }, Named { name: "two", call: || {} }];
    let parse =
        |line: &str| parse(&scenarios, &line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(parse("three").err().unwrap(), r#"no scenario "three"; there are: one, two"#);
    assert!(parse("one --repeat 0").is_err() && parse("one --repeat").is_err());
    let wanted = parse("two --repeat 3").unwrap();
    assert_eq!((wanted.names, wanted.repeat), (vec!["two"], 3));
    assert_eq!(parse("").unwrap().names, ["one", "two"]);
}
