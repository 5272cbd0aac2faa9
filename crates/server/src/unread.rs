//! Bodies of requests that were answered before they were read: refused for their token, say, or for their path. They are
//! read to their end and forgotten, since what follows on the connection can only be read behind them: else it would
//! be closed, under a client that is about to send the next request.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// The most that is read of a body nobody wants, in bytes; behind more the connection ends.
const MOST: usize = 1024 * 1024;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A body that is read to its end, by the handler or after it.
pub struct ReadThrough<B: Body<Data = Bytes> + Send + Unpin + 'static> {
    /// None once it was read.
    body: Option<B>,
    /// Whether the client waits to be told before it sends anything. Then it sends nothing that nobody wants.
    waits: bool,
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> ReadThrough<B> {
    /// `waits`: the request has `Expect: 100-continue`.
    pub fn new(body: B, waits: bool) -> Self {
        Self { body: Some(body), waits }
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Body for ReadThrough<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Drop for ReadThrough<B> {
    fn drop(&mut self) {
        let rest = self.body.take().filter(|body| !body.is_end_stream() && !self.waits);
        if let (Some(rest), Ok(runtime)) = (rest, tokio::runtime::Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(PATIENCE, read(rest)));
        }
    }
}

async fn read<B: Body<Data = Bytes> + Unpin>(mut body: B) {
    let mut left = MOST;
    while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
