//! Work that is done to its end, whether or not whoever asked for it is still there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

/// What a request asked for. It runs where the request came in, since each change of threads costs more than
/// many a step of the work itself. When the request is given up, because a browser went away, the rest of it goes on by
/// `runtime`: nothing stays half done that a person does not know of.
pub(super) struct ToTheEnd<T: Send + 'static> {
    /// `None` when it is over.
    work: Option<BoxFuture<'static, T>>,
    runtime: Handle,
}

/// What it said is with whoever set the hook for panics.
#[derive(Debug, PartialEq)]
pub(super) struct Panicked;

/// Does `work` to its end.
pub(super) fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    runtime: &Handle,
) -> ToTheEnd<T> {
    ToTheEnd {
        // In a box: it is many kilobytes, which would be moved at each step from here.
        work: Some(Box::pin(work)),
        runtime: runtime.clone(),
    }
}

impl<T: Send + 'static> Future for ToTheEnd<T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let work = self.work.as_mut().expect("nobody asks after it is over");
        // What panicked is not looked at again.
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        let done = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(done)) => Ok(done),
            Err(_) => Err(Panicked),
        };
        self.work = None;
        Poll::Ready(done)
    }
}

impl<T: Send + 'static> Drop for ToTheEnd<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            drop(self.runtime.spawn(work));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn what_was_given_up_is_done_all_the_same() {
        let (go, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (going, doing) = (go.clone(), done.clone());
        let work = async move {
            going.notified().await;
            doing.notify_one();
        };
        let mut work = Box::pin(to_the_end(work, &Handle::current()));
        assert!(futures_util::poll!(work.as_mut()).is_pending());
        drop(work);
        go.notify_one();
        done.notified().await;
    }

    #[tokio::test]
    async fn what_panics_says_so_and_is_left_alone() {
        let work = to_the_end(async { panic!("on purpose") }, &Handle::current());
        assert_eq!(work.await, Err::<(), _>(Panicked));
        let work = to_the_end(async { 7 }, &Handle::current());
        assert_eq!(work.await, Ok(7));
    }
}
