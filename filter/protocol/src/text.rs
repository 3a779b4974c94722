//! Showing text that somebody else chose, without letting it flood or forge a log line.

/// How many characters of foreign text a message shows at most.
pub const SHOWN_CHARACTERS: usize = 64;

/// At most [`SHOWN_CHARACTERS`] characters of `text`, with controls, quotes and non-ASCII escaped, and `…` where it was cut.
///
/// The cost does not grow with the length of `text`.
pub fn excerpt(text: &str) -> String {
    let mut characters = text.chars().flat_map(char::escape_default);
    let mut shown: String = characters.by_ref().take(SHOWN_CHARACTERS).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test;

    #[wasm_bindgen_test(unsupported = test)]
    fn short_plain_text_is_shown_whole() {
        assert_eq!(excerpt("reviews.default"), "reviews.default");
        assert_eq!(excerpt(""), "");
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_line_break_cannot_forge_a_log_line() {
        assert_eq!(excerpt("a\nb\u{1b}[0m"), "a\\nb\\u{1b}[0m");
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn long_text_is_cut_and_says_so() {
        let shown = excerpt(&"x".repeat(100_000));
        assert_eq!(shown, format!("{}…", "x".repeat(SHOWN_CHARACTERS)));
        let escaped = excerpt(&"\u{0}".repeat(100_000));
        assert_eq!(escaped.chars().count(), SHOWN_CHARACTERS + 1);
    }
}
