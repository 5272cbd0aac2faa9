//! Logs: lines for people on a terminal, JSON otherwise, written by a thread of their own.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Log, LogFormat, Wrong};

/// Lines waiting to be written at most; what comes on top is dropped and counted, so that a slow
/// terminal or pipe never holds up a sale.
const WAITING: usize = 16_384;

enum Message {
    Line(Vec<u8>),
    Stop,
}

/// Writes what is waiting when it is dropped.
pub struct Writer {
    sender: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        let asked = self.sender.send(Message::Stop);
        if let (Ok(()), Some(thread)) = (asked, self.thread.take()) {
            // A writer that panicked has nothing left to say.
            let _ = thread.join();
        }
    }
}

/// Starts logging to stderr as the settings say.
///
/// # Errors
/// When the level cannot be understood.
pub fn start(log: &Log) -> Result<Writer, Wrong> {
    let filter = EnvFilter::try_new(&log.level).map_err(|error| Wrong(format!("log.level: {error}")))?;
    let (lines, writer) = lines();
    let human = match log.format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines);
    if human {
        builder.with_ansi(io::stderr().is_terminal()).init();
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    }
    Ok(writer)
}

fn lines() -> (Lines, Writer) {
    let (sender, receiver) = sync_channel(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    let counted = dropped.clone();
    let thread = std::thread::Builder::new().name("logs".to_owned()).spawn(move || write(&receiver, &counted));
    let writer = Writer { sender: sender.clone(), thread: thread.ok() };
    (Lines { sender, dropped }, writer)
}

fn write(receiver: &Receiver<Message>, dropped: &AtomicU64) {
    let mut out = io::BufWriter::with_capacity(1 << 16, io::stderr());
    while let Ok(Message::Line(line)) = receiver.recv() {
        // Nobody can be told that the log cannot be written.
        let _ = out.write_all(&line);
        while let Ok(message) = receiver.try_recv() {
            let Message::Line(line) = message else {
                let _ = out.flush();
                return;
            };
            let _ = out.write_all(&line);
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(out, "{{\"level\":\"WARN\",\"message\":\"{lost} log lines were dropped\"}}");
        }
        let _ = out.flush();
    }
}

#[derive(Clone)]
struct Lines {
    sender: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: self, text: Vec::new() }
    }
}

/// One line, handed over whole when it is complete.
struct Line<'a> {
    lines: &'a Lines,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let text = std::mem::take(&mut self.text);
        if self.lines.sender.try_send(Message::Line(text)).is_err() {
            self.lines.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_lines_and_counts_them_instead_of_waiting() {
        let (sender, receiver) = sync_channel(2);
        let lines = Lines { sender, dropped: Arc::new(AtomicU64::new(0)) };
        for _ in 0..5 {
            lines.make_writer().write_all(b"a line\n").expect("kept in memory");
        }
        assert_eq!(lines.dropped.load(Ordering::Relaxed), 3);
        assert!(matches!(receiver.try_recv(), Ok(Message::Line(line)) if line == b"a line\n"));
    }
}
