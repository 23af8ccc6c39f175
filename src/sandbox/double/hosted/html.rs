//! HTML as text: one document, one style, and the escaping that every text from an object goes through. No script is
//! ever sent, and the policy in the head of each answer forbids any.

use uuid::Uuid;

use super::super::http::Answer;

/// Dark text on light ground, and the other way round on the button: each at least 7 to 1.
const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;color:#1f2933;background:#f2f4f7;margin:0}\
main{max-width:30rem;margin:2rem auto;padding:1.5rem 2rem;background:#fff;border:1px solid #c5ccd6;border-radius:.5rem}\
h1{font-size:1.4rem;margin:.25rem 0 1rem}p{margin:.5rem 0}small{color:#4a5563}\
table{width:100%;border-collapse:collapse;margin:1rem 0}caption{text-align:left;color:#4a5563}\
th,td{padding:.4rem 0;text-align:left;font-weight:400;vertical-align:top;overflow-wrap:anywhere}\
td{text-align:right;white-space:nowrap;padding-left:1rem}tfoot th,tfoot td{border-top:1px solid #c5ccd6;font-weight:700}\
label{display:block;margin:1rem 0 .25rem}\
select,button{font:inherit;width:100%;padding:.6rem;border-radius:.35rem;border:1px solid #4a5563;box-sizing:border-box}\
button{margin-top:1rem;background:#1d3f8f;color:#fff;border-color:#1d3f8f;font-weight:700;cursor:pointer}\
:focus-visible{outline:3px solid #b35900;outline-offset:2px}\
[role=alert],[role=status]{padding:.6rem .8rem;border-left:.3rem solid #8f1d1d;background:#fbeaea}\
[role=status]{border-color:#1d6b3a;background:#e7f5ec}";

/// A text between tags or in a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Marks that turn the direction of what follows could make one amount look like another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// A whole answer. `main` is HTML; `title` is not. The form may lead to `leads_to`, an origin, besides this double.
pub(super) fn document(status: u16, title: &str, main: &str, leads_to: Option<&str>) -> Answer {
    let nonce = Uuid::new_v4().simple();
    let title = escaped(title);
    let body = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<style nonce=\"{nonce}\">{STYLE}</style>\n</head>\n<body>\n<main>\n{main}\
         <p><small>relink sandbox: a stand-in for Stripe on this machine. No money moves.</small></p>\n\
         </main>\n</body>\n</html>\n"
    );
    // A browser applies `form-action` to where the answer of a form sends it, too.
    let form = leads_to.map_or_else(String::new, |origin| format!(" {origin}"));
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; form-action 'self'{form}; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    let headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", &policy),
        ("X-Content-Type-Options", "nosniff"),
        // Stricter ones make the browser hide from the page whose form it sends.
        ("Referrer-Policy", "same-origin"),
    ];
    Answer {
        status,
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_end_its_place() {
        assert_eq!(
            escaped("</h1><script>alert(\"x\")</script> & 'y' \u{202e}00.1$\n"),
            "&lt;/h1&gt;&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39; 00.1$ "
        );
    }
}
