use super::*;
use wasm_bindgen_test::wasm_bindgen_test;

fn mk_error(json: &str) -> String {
    Config::parse(json.as_bytes()).unwrap_err().to_string()
}

#[wasm_bindgen_test(unsupported = test)]
fn nothing_is_the_default_configuration() {
    for json in ["", " \n", "{}"] {
        assert_eq!(
            Config::parse(json.as_bytes()),
            Ok(Config::default()),
            "{json:?}"
        );
    }
    assert_eq!(Config::default().check(), Ok(()));
}

#[wasm_bindgen_test(unsupported = test)]
fn one_key_leaves_the_others_alone() {
    let config = Config::parse(br#"{"maxBatch": 7}"#).unwrap();
    let expected = Config {
        max_batch: 7,
        ..Config::default()
    };
    assert_eq!(config, expected);
}

#[wasm_bindgen_test(unsupported = test)]
fn an_unknown_key_is_named_with_the_known_ones_and_its_place() {
    let error = mk_error(r#"{"controllerCluser": "a"}"#);
    assert!(
        error.contains("unknown field `controllerCluser`"),
        "{error}"
    );
    assert!(error.contains("`controllerCluster`"), "{error}");
    assert!(error.contains("line 1"), "{error}");
}

#[wasm_bindgen_test(unsupported = test)]
fn what_is_no_configuration_is_refused() {
    for json in [
        "[]x",
        "null",
        "\"a\"",
        "{",
        "{\"maxBatch\": -1}",
        "{\"maxBatch\": 1.5}",
        "\u{0}",
    ] {
        assert!(Config::parse(json.as_bytes()).is_err(), "{json:?}");
    }
    assert!(Config::parse(b"\xff").is_err());
}

#[wasm_bindgen_test(unsupported = test)]
fn values_out_of_range_name_their_key() {
    for key in [
        "reportTimeoutMilliseconds",
        "repeatAfterMilliseconds",
        "quietAfterMilliseconds",
        "retryAfterMilliseconds",
        "batchDelayMilliseconds",
        "maxBatch",
        "maxPending",
        "verdictTimeoutMilliseconds",
        "holdTimeoutMilliseconds",
        "maxHeldStreams",
        "maxHeldBytes",
        "firstProbeMilliseconds",
        "maxProbeIntervalMilliseconds",
    ] {
        for value in ["0", "4000000000"] {
            let error = mk_error(&format!("{{\"{key}\": {value}}}"));
            assert!(error.starts_with(key), "{error}");
        }
    }
    for key in ["controllerCluster", "controllerAuthority"] {
        assert!(mk_error(&format!("{{\"{key}\": \"\"}}")).starts_with(key));
        assert!(mk_error(&format!("{{\"{key}\": \"{}\"}}", "a".repeat(126))).starts_with(key));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_cluster_name_is_no_authority() {
    let error = mk_error(r#"{"controllerAuthority": "outbound|8082||a.b"}"#);
    assert!(error.starts_with("controllerAuthority: "), "{error}");
}

#[wasm_bindgen_test(unsupported = test)]
fn an_error_does_not_repeat_a_flood() {
    let error = mk_error(&format!("{{\"{}\": 1}}", "k".repeat(100_000)));
    assert!(error.len() < 600, "{}", error.len());
}

#[wasm_bindgen_test(unsupported = test)]
fn the_first_request_is_held_unless_told_otherwise() {
    let parse = |value: &str| Config::parse(format!("{{\"firstRequest\": {value}}}").as_bytes());
    assert_eq!(Config::default().first_request, FirstRequest::Hold);
    assert_eq!(parse("\"hold\""), Ok(Config::default()));
    let passthrough = parse("\"passthrough\"").unwrap();
    assert_eq!(passthrough.first_request, FirstRequest::Passthrough);
    for value in ["\"Hold\"", "\"adaptive\"", "true"] {
        let error = parse(value).unwrap_err().to_string();
        assert!(error.contains("hold") || value == "true", "{error}");
    }
}
