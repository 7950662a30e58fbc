//! The attributes `#[gmp::main]` and `#[gmp::test]`: a function's body becomes the main goroutine of a runtime.
//!
//! Both only wrap the body in a call of `gmp::run`, so a function is taken apart no further than into what comes before
//! its body and the body, and no parser is needed.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// Runs the body of `main` as the main goroutine of a runtime as `Builder::new` makes it.
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, function: TokenStream) -> TokenStream {
    wrap("main", &arguments, function).unwrap_or_else(error)
}

/// Makes a test whose body is the main goroutine of a runtime as `Builder::new` makes it.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, function: TokenStream) -> TokenStream {
    wrap("test", &arguments, function).unwrap_or_else(error)
}

fn wrap(name: &str, arguments: &TokenStream, function: TokenStream) -> Result<TokenStream, String> {
    if !arguments.is_empty() {
        return Err(format!(
            "#[gmp::{name}] takes no arguments; for a runtime of another kind use gmp::Builder in a plain function"
        ));
    }
    let mut head: Vec<TokenTree> = function.into_iter().collect();
    let body = match head.pop() {
        Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => body,
        _ => return Err(format!("#[gmp::{name}] is for a function with a body")),
    };
    if head.iter().any(|token| is_ident(token, "async")) {
        return Err(format!("#[gmp::{name}] is for a plain function: goroutines block and need no `async`"));
    }
    // The parentheses after the name; those of `pub(crate)` come before `fn`.
    let keyword = head.iter().position(|token| is_ident(token, "fn"));
    let is_list = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis);
    let parameters = keyword.and_then(|keyword| Some(keyword + head[keyword..].iter().position(is_list)?));
    let Some(parameters) = parameters else { return Err(format!("#[gmp::{name}] is for a function")) };
    if matches!(&head[parameters], TokenTree::Group(group) if !group.stream().is_empty()) {
        return Err(format!("#[gmp::{name}] is for a function without parameters"));
    }
    // `-> Type`, if there is one: the closure is given it, so that `?` and `return` mean what they mean in a function.
    let result: TokenStream = head[parameters + 1..].iter().cloned().collect();
    let mut made = TokenStream::new();
    if name == "test" {
        made.extend(parse("#[::core::prelude::v1::test]"));
    }
    made.extend(head);
    let mut closure = parse("||");
    closure.extend(if result.is_empty() { parse("-> ()") } else { result });
    closure.extend([TokenTree::Group(body)]);
    let mut call = parse("::gmp::run");
    call.extend([TokenTree::Group(Group::new(Delimiter::Parenthesis, closure))]);
    made.extend([TokenTree::Group(Group::new(Delimiter::Brace, call))]);
    Ok(made)
}

fn is_ident(token: &TokenTree, text: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string() == text)
}

fn parse(text: &str) -> TokenStream {
    text.parse().unwrap_or_default()
}

fn error(message: String) -> TokenStream {
    parse(&format!("::core::compile_error!({message:?});"))
}
