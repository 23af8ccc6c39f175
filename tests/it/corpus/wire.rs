//! What stands between relink and the double in some cases: it answers some paths itself, byte for byte as the case
//! says, and hands the others on, with another date or another text in them where the case wants it.
//!
//! It understands nothing of what passes. Every answer ends its connection.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::case::Wire;
use super::spelling::Spelling;
use crate::client_server::{Answer, Request, Server};

pub async fn start(wire: &Wire, spelling: &Spelling<'_>) -> Server {
    let double = spelling.stripe.trim_start_matches("http://").to_owned();
    let raw = wire.raw.as_ref().map(|raw| measured(spelling.bytes(raw)));
    let spelt = |[from, to]: &[String; 2]| (spelling.bytes(from), spelling.bytes(to));
    let replaced: Vec<_> = wire.replace.iter().map(spelt).collect();
    let wire = wire.clone();
    Server::start(move |request| {
        let method = wire.method == "*" || wire.method == request.method;
        let meant = method && request.path().starts_with(&wire.at);
        match &raw {
            Some(raw) if meant => Answer::Raw(raw.clone()),
            _ => {
                let answer = handed_on(request, &double);
                Answer::Raw(changed(answer, meant.then_some(&wire), &replaced))
            }
        }
    })
    .await
}

/// With its body's length in place of a `*`.
fn measured(answer: Vec<u8>) -> Vec<u8> {
    let Some(end) = answer.windows(4).position(|at| at == b"\r\n\r\n") else {
        return answer;
    };
    let (head, body) = answer.split_at(end + 4);
    let length = format!("Content-Length: {}", body.len());
    let head = replace(head, b"Content-Length: *", length.as_bytes());
    [head, body.to_vec()].concat()
}

/// The double's answer, head and body.
fn handed_on(request: &Request, double: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(double).unwrap();
    let mut text = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    for (name, value) in &request.headers {
        if name != "connection" {
            text += &format!("{name}: {value}\r\n");
        }
    }
    text += &format!("connection: close\r\n\r\n{}", request.body);
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

fn changed(answer: Vec<u8>, wire: Option<&Wire>, replaced: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let Some(wire) = wire else { return answer };
    let end = answer
        .windows(4)
        .position(|at| at == b"\r\n\r\n")
        .expect("the double's answer has a head");
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let mut body = answer[end + 4..].to_vec();
    for (from, to) in replaced {
        body = replace(&body, from, to);
    }
    let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
    lines.retain(|line| {
        let name = line.split(':').next().unwrap_or_default().to_lowercase();
        name != "content-length" && (name != "date" || wire.date.is_none())
    });
    lines.extend(wire.date.iter().map(|date| format!("date: {date}")));
    lines.push(format!("content-length: {}", body.len()));
    let head = lines.join("\r\n") + "\r\n\r\n";
    [head.into_bytes(), body].concat()
}

fn replace(body: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut at = 0;
    while at < body.len() {
        if body[at..].starts_with(from) {
            out.extend_from_slice(to);
            at += from.len();
        } else {
            out.push(body[at]);
            at += 1;
        }
    }
    out
}
