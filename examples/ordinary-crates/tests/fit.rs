//! Programs for which each crate is known to need stack. An overflow aborts the whole test and names the goroutine.

use ordinary_crates::on_goroutines;
use std::net::ToSocketAddrs;
use std::sync::Arc;

#[test]
fn regex_with_unicode_classes() {
    on_goroutines("regex", || {
        let line = regex::Regex::new(r"(?i)^(\w+)\s+(\d{1,5})\s*\p{L}+[\p{Greek}\p{Cyrillic}]*$").unwrap();
        assert!(line.is_match("größe 12 abcДж"));
        assert_eq!(regex::Regex::new(r"\b\w+\b").unwrap().find_iter("a bc dé").count(), 3);
    });
}

#[derive(serde::Deserialize, serde::Serialize, Debug, PartialEq)]
#[serde(tag = "kind")]
enum Tree {
    Leaf { value: f64 },
    Inner { children: Vec<Tree>, note: Option<String> },
}

/// serde_json's own limit is 128 levels.
#[test]
fn json_at_its_limit() {
    on_goroutines("json", || {
        for (open, inner, close) in [("[", "", "]"), ("{\"a\":", "1", "}")] {
            let text = format!("{}{inner}{}", open.repeat(127), close.repeat(127));
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value.clone().to_string(), text);
            assert!(!format!("{value:?}").is_empty());
            let deeper = open.repeat(100_000);
            let error = serde_json::from_str::<serde_json::Value>(&deeper).unwrap_err();
            assert!(error.to_string().contains("recursion limit"));
        }
        let open = r#"{"kind":"Inner","note":"a","children":["#.repeat(63);
        let text = format!(r#"{open}{{"kind":"Leaf","value":1.5}}{}"#, "]}".repeat(63));
        let tree: Tree = serde_json::from_str(&text).unwrap();
        assert_eq!(tree, serde_json::from_str(&serde_json::to_string(&tree).unwrap()).unwrap());
    });
}

/// With its default features sqlparser takes more stack by itself where it finds too little: in a debug build 120 nested
/// selects take 22 MiB.
#[test]
fn sql_of_depth_120() {
    on_goroutines("sql", || {
        for (open, close) in [("(", ")"), ("(1+", ")"), ("(SELECT ", ")")] {
            let sql = format!("SELECT {}1{}", open.repeat(120), close.repeat(120));
            let parser = sqlparser::parser::Parser::new(&sqlparser::dialect::GenericDialect {});
            let parsed =
                parser.with_recursion_limit(1000).try_with_sql(&sql).unwrap().parse_statements().unwrap();
            assert_eq!(parsed.len(), 1);
            assert!(!parsed[0].to_string().is_empty());
        }
    });
}

#[test]
fn tls_handshake() {
    on_goroutines("tls", || {
        let own = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let certificate = own.cert.der().clone();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
        let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let server = server.with_single_cert(vec![certificate], key).unwrap();
        let client = rustls::ClientConfig::builder_with_provider(provider);
        let client = client.with_safe_default_protocol_versions().unwrap();
        let client = client.with_root_certificates(roots).with_no_client_auth();
        let mut server = rustls::ServerConnection::new(Arc::new(server)).unwrap();
        let name = "localhost".try_into().unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(client), name).unwrap();
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        while server.is_handshaking() || client.is_handshaking() {
            while client.wants_write() {
                client.write_tls(&mut to_server).unwrap();
            }
            for bytes in std::mem::take(&mut to_server).chunks(4096) {
                server.read_tls(&mut &bytes[..]).unwrap();
                server.process_new_packets().unwrap();
            }
            while server.wants_write() {
                server.write_tls(&mut to_client).unwrap();
            }
            for bytes in std::mem::take(&mut to_client).chunks(4096) {
                client.read_tls(&mut &bytes[..]).unwrap();
                client.process_new_packets().unwrap();
            }
        }
    });
}

#[test]
fn backtrace_printed() {
    on_goroutines("backtrace", || {
        let backtrace = std::backtrace::Backtrace::force_capture();
        println!("{backtrace}");
        println!("{backtrace:?}");
    });
}

/// Without a network a name has no address, but the resolver has run.
#[test]
fn name_lookup() {
    on_goroutines("lookup", || {
        for name in ["localhost", "name.invalid"] {
            let _ = (name, 80).to_socket_addrs();
        }
    });
}

#[test]
fn time_formatted() {
    on_goroutines("chrono", || {
        let now = chrono::Local::now();
        println!("{} {}", now.to_rfc2822(), now.format("%A %e %B %Y %H:%M:%S%.9f %z"));
        assert!(chrono::DateTime::parse_from_rfc3339("2024-02-29T12:00:00+02:00").is_ok());
    });
}
