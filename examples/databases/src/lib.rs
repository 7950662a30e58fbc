//! Databases and an HTTP client that know nothing of goroutines, each used by many.

pub mod book;
pub mod http;
pub mod postgres;
pub mod sqlite;
