//! The origin behind both Workers of `scripts/bench proxy`: answers every request with the same kilobyte of JSON
//! and counts. One file of std, compiled by rustc when the benchmark starts: an origin on Node takes as long per
//! request as the pass-through Worker does, which would hide half of any difference between two Workers.
//!
//! Prints its port. `GET /count` answers how many requests came, not counting itself. Ends when stdin closes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const BODY_BYTES: usize = 1024;

static COUNT: AtomicU64 = AtomicU64::new(0);

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
    println!("{}", listener.local_addr().expect("the bound address").port());
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    for stream in listener.incoming().flatten() {
        // An error here is a peer that went away.
        thread::spawn(move || serve(stream));
    }
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let item = "x".repeat(BODY_BYTES - r#"{"items":""}"#.len());
    let answer = response(&format!(r#"{{"items":"{item}"}}"#));
    let mut buffer = vec![0; 64 * 1024];
    let mut filled = 0;
    loop {
        let Some(head) = find(&buffer[..filled], b"\r\n\r\n") else {
            filled += match stream.read(&mut buffer[filled..])? {
                0 => return Ok(()),
                read => read,
            };
            continue;
        };
        let (is_count, length) = parse(&buffer[..head]);
        let end = head + 4 + length;
        while filled < end {
            match stream.read(&mut buffer[filled..])? {
                0 => return Ok(()),
                read => filled += read,
            }
        }
        buffer.copy_within(end..filled, 0);
        filled -= end;
        if is_count {
            stream.write_all(&response(&COUNT.load(Ordering::SeqCst).to_string()))?;
        } else {
            COUNT.fetch_add(1, Ordering::SeqCst);
            stream.write_all(&answer)?;
        }
    }
}

fn response(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Whether the head asks for the count, and its Content-Length.
fn parse(head: &[u8]) -> (bool, usize) {
    let length = head.split(|&byte| byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked("content-length:".len())?;
        name.eq_ignore_ascii_case(b"content-length:").then(|| str::from_utf8(value).ok()?.trim().parse().ok())?
    });
    (head.starts_with(b"GET /count "), length.unwrap_or(0))
}
