//! The cancel flag that the page sets and the engine reads.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Set by the page's `cancel`, cleared by its next command.
#[derive(Default)]
pub struct CancelToken {
    requested: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl CancelToken {
    pub fn request(&self) {
        self.requested.set(true);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    pub fn clear(&self) {
        self.requested.set(false);
    }

    pub fn requested(&self) -> bool {
        self.requested.get()
    }

    /// Resolves when a cancel is requested.
    pub async fn wait(&self) {
        poll_fn(|context| {
            if self.requested() {
                return Poll::Ready(());
            }
            self.waiting.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}
