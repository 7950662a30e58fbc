//! reqwest, which needs tokio's reactor: a tokio runtime with one thread runs beside, and goroutines await what they ask.

use reqwest::{Client, Result};
use tokio::runtime::Handle;

/// Gets a page. The goroutine waits, its P runs others, and tokio's thread wakes it.
pub fn get(tokio: &Handle, client: &Client, url: &str) -> Result<String> {
    let _entered = tokio.enter();
    gmp::block_on(async { client.get(url).send().await?.error_for_status()?.text().await })
}
