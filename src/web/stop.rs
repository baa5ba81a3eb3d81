//! A stop that the page asks for, seen from both sides.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Set by the page's cancel, cleared by its next command.
#[derive(Default)]
pub struct Stop {
    asked: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Stop {
    pub fn ask(&self) {
        self.asked.set(true);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    pub fn clear(&self) {
        self.asked.set(false);
    }

    pub fn asked(&self) -> bool {
        self.asked.get()
    }

    /// Ends when it is asked for.
    pub async fn wait(&self) {
        poll_fn(|context| {
            if self.asked() {
                return Poll::Ready(());
            }
            self.waiting.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}
