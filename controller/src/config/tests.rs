mod generations;
mod meaning;
mod mistakes;
mod shapes;

use super::*;

/// The configuration that `text` is, or the error as the operator sees it.
fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("lazyload.yaml")).map_err(|error| error.to_string())
}

/// The settings of a module whose `general` is `text`.
fn mk_settings(text: &str) -> Settings {
    parse(&format!("general: {{{text}}}")).unwrap().settings()
}

/// Asserts that `text` is refused, and that the error has all of these parts.
#[track_caller]
fn refused(text: &str, parts: &[&str]) {
    let error = parse(text).unwrap_err();
    for part in parts.iter().chain(&["lazyload.yaml"]) {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[test]
fn an_empty_file_means_the_defaults() {
    for text in [
        "",
        "# nothing\n",
        "---\n",
        "general:\n",
        "global: {log: , misc: {}}",
    ] {
        assert_eq!(parse(text), Ok(Config::default()), "{text}");
    }
}

#[test]
fn the_shipped_configuration_states_the_defaults() {
    let shipped = include_str!("../../../manifests/base/config.yaml");
    assert_eq!(parse(shipped), Ok(Config::default()));
}
