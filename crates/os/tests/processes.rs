//! Processes: goroutines that wait for children run others meanwhile.

use gmp::process::{Command, Stdio};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::process::ExitStatusExt;

fn everywhere(main: fn()) {
    for procs in [1, 2] {
        gmp::Builder::new().procs(procs).build().unwrap().run(main).unwrap();
        gmp::Builder::new().procs(procs).one_thread_each().build().unwrap().run(main).unwrap();
    }
}

#[test]
fn children_are_waited_for_side_by_side() {
    everywhere(|| {
        // Each waits for a line that comes only when all have been started, on one P.
        let mut children: Vec<_> = (0..10)
            .map(|_| {
                let mut command = Command::new("sh");
                command.args(["-c", "read line; exit $line"]).stdin(Stdio::piped());
                command.spawn().unwrap()
            })
            .collect();
        let pipes: Vec<_> = children.iter_mut().map(|child| child.stdin.take().unwrap()).collect();
        let waits: Vec<_> =
            children.into_iter().map(|mut child| gmp::go(move || child.wait().unwrap().code())).collect();
        for (n, mut pipe) in pipes.into_iter().enumerate() {
            writeln!(pipe, "{n}").unwrap();
        }
        let codes: Vec<_> = waits.into_iter().map(|wait| wait.join().unwrap().unwrap()).collect();
        assert_eq!(codes, (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn output_of_both_kinds_is_read_at_once() {
    let both = || {
        let script = "head -c 300000 /dev/zero >&2; head -c 200000 /dev/zero; exit 3";
        let output = Command::new("sh").args(["-c", script]).output().unwrap();
        assert_eq!(
            (output.stdout.len(), output.stderr.len(), output.status.code()),
            (200_000, 300_000, Some(3))
        );
    };
    both();
    for procs in [1, 2] {
        gmp::Builder::new().procs(procs).build().unwrap().run(both).unwrap();
    }
}

#[test]
fn pipes_in_both_directions() {
    everywhere(|| {
        let mut command = Command::new("cat");
        let mut cat = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut to, mut from) = (cat.stdin.take().unwrap(), BufReader::new(cat.stdout.take().unwrap()));
        for round in 0..100 {
            writeln!(to, "{round}").unwrap();
            let mut line = String::new();
            from.read_line(&mut line).unwrap();
            assert_eq!(line.trim(), round.to_string());
        }
        drop(to);
        assert!(cat.wait().unwrap().success());
        assert!(cat.wait().unwrap().success(), "as often as one likes");
    });
}

#[test]
fn a_child_is_killed_and_one_that_is_not_there_is_an_error() {
    everywhere(|| {
        let mut sleeper = Command::new("sleep").arg("3600").spawn().unwrap();
        assert!(sleeper.try_wait().unwrap().is_none());
        sleeper.kill().unwrap();
        assert_eq!(sleeper.wait().unwrap().signal(), Some(9));
        let error = Command::new("/nowhere/at/all").spawn().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

/// A goroutine that waits for a child's output does not keep others from running, on one P.
#[test]
fn one_p_runs_others_while_a_child_runs() {
    gmp::Builder::new()
        .procs(1)
        .build()
        .unwrap()
        .run(|| {
            let (go_on, may_end) = gmp::chan::<()>(0);
            let child = gmp::go(move || {
                let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
                let pipe = child.stdin.take();
                let wait = gmp::go(move || child.wait().unwrap().success());
                may_end.recv().unwrap_err();
                drop(pipe);
                wait.join().unwrap()
            });
            (0..100).for_each(|_| gmp::yield_now());
            drop(go_on);
            assert!(child.join().unwrap());
        })
        .unwrap();
}
