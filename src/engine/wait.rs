//! How far the engine runs ahead of its device, and how waiting for the device gives way to a stop.
//!
//! A graphics device only queues what it is given. Without a wait every layer of a scale would be queued within milliseconds,
//! and a stop would have to wait for all of them.

use super::protocol::Event;
use super::{EngineError, Host};
use burn::tensor::{Device, Tensor};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

/// So many layers may wait in the device's queue: with fewer it would be idle between two of them.
const LAYERS_AHEAD: usize = 2;

type Read = Pin<Box<dyn Future<Output = Result<(), EngineError>>>>;

/// Marks in the device's queue, one behind every layer.
///
/// Each is the read of a single value, and has to be waited for even after a stop: a read that is dropped leaves its buffer to
/// others while it is still mapped. Outside of a browser burn reads when the value is looked at, so there nothing waits.
pub struct Ahead {
    mark: Box<dyn Fn() -> Read>,
    reads: VecDeque<Read>,
}

impl Ahead {
    pub fn new(device: &Device) -> Self {
        let value = Tensor::from_data([0f32], device);
        Self::with(move || Box::pin(read(value.clone())))
    }

    fn with(mark: impl Fn() -> Read + 'static) -> Self {
        Self {
            mark: Box::new(mark),
            reads: VecDeque::new(),
        }
    }

    /// Marks the end of a layer; waits while more than a few layers are under way. May be dropped while it waits.
    pub async fn layer(&mut self) -> Result<(), EngineError> {
        let mut read = (self.mark)();
        // It enters the queue when it is polled for the first time.
        match poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => {
                self.reads.push_back(read);
                self.until(LAYERS_AHEAD).await
            }
        }
    }

    /// Waits for every layer.
    pub async fn all(&mut self) -> Result<(), EngineError> {
        self.until(0).await
    }

    async fn until(&mut self, left: usize) -> Result<(), EngineError> {
        while self.reads.len() > left {
            if let Some(read) = self.reads.front_mut() {
                let outcome = read.await;
                self.reads.pop_front();
                outcome?;
            }
        }
        Ok(())
    }
}

/// Waits until the device has done all that it was given, as far as burn lets it be waited for: in a browser.
pub async fn settle(device: &Device) -> Result<(), EngineError> {
    read(Tensor::from_data([0f32], device)).await
}

async fn read(value: Tensor<1>) -> Result<(), EngineError> {
    let data = value.into_data_async().await;
    data.map(|_| ())
        .map_err(|error| EngineError::DeviceLost(error.to_string()))
}

/// What comes of `work`; if the host wants to stop before, `Cancelled` is told at once, the work is brought to its end, and
/// nothing comes of it.
pub async fn unless_stopped<T>(work: impl Future<Output = T>, scales: usize, host: &impl Host) -> Option<T> {
    let (mut work, mut stopped) = (pin!(work), pin!(host.stopped()));
    let outcome = poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => stopped.as_mut().poll(context).map(|()| None),
    });
    let outcome = outcome.await;
    if outcome.is_none() {
        host.emit(Event::Cancelled { scales });
        work.await;
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use std::future::ready;
    use std::rc::Rc;
    use std::task::{Context, Waker};

    /// Stops when it is polled for the second time.
    #[derive(Default)]
    struct Impatient {
        polls: Cell<usize>,
        events: RefCell<Vec<String>>,
    }

    impl Host for Impatient {
        fn emit(&self, event: Event) {
            self.events.borrow_mut().push(format!("{event:?}"));
        }

        fn cancelled(&self) -> bool {
            false
        }

        fn breathe(&self) -> impl Future<Output = ()> {
            ready(())
        }

        fn stopped(&self) -> impl Future<Output = ()> {
            poll_fn(|_| {
                self.polls.set(self.polls.get() + 1);
                if self.polls.get() > 1 {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
        }

        fn now(&self) -> f64 {
            0.0
        }
    }

    /// Ready when it is polled for the `polls`-th time.
    fn work(polls: usize, ended: &Cell<bool>) -> impl Future<Output = &'static str> {
        let mut left = polls;
        poll_fn(move |context| {
            left -= 1;
            context.waker().wake_by_ref();
            ended.set(left == 0);
            if left == 0 { Poll::Ready("done") } else { Poll::Pending }
        })
    }

    #[test]
    fn a_stop_is_answered_while_the_work_goes_on_to_its_end() {
        let (host, ended) = (Impatient::default(), Cell::new(false));
        assert_eq!(pollster::block_on(unless_stopped(work(9, &ended), 3, &host)), None);
        assert!(ended.get(), "the work was left undone");
        assert_eq!(*host.events.borrow(), ["Cancelled { scales: 3 }"]);
        let (host, ended) = (Impatient::default(), Cell::new(false));
        assert_eq!(
            pollster::block_on(unless_stopped(work(2, &ended), 3, &host)),
            Some("done")
        );
        assert_eq!(host.events.borrow().len(), 0);
    }

    #[test]
    fn few_layers_are_under_way() {
        // A device that does nothing until it is told how many marks it has passed.
        let (passed, given) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let device = (passed.clone(), given.clone());
        let mut ahead = Ahead::with(move || {
            let (passed, given) = device.clone();
            given.set(given.get() + 1);
            let mine = given.get();
            let passes = move |_: &mut Context| match passed.get() >= mine {
                true => Poll::Ready(Ok(())),
                false => Poll::Pending,
            };
            Box::pin(poll_fn(passes))
        });
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..LAYERS_AHEAD {
            assert!(pin!(ahead.layer()).poll(&mut context).is_ready());
        }
        {
            let mut layer = pin!(ahead.layer());
            assert!(layer.as_mut().poll(&mut context).is_pending());
            passed.set(1);
            assert!(layer.poll(&mut context).is_ready());
        }
        // A wait that is given up loses no mark.
        assert!(pin!(ahead.layer()).poll(&mut context).is_pending());
        assert_eq!((ahead.reads.len(), given.get()), (LAYERS_AHEAD + 1, LAYERS_AHEAD + 2));
        assert!(pin!(ahead.all()).poll(&mut context).is_pending());
        passed.set(given.get());
        assert!(pin!(ahead.all()).poll(&mut context).is_ready());
        assert_eq!(ahead.reads.len(), 0);
    }

    #[test]
    fn a_lost_device_ends_the_wait() {
        let lost = || EngineError::DeviceLost("gone".to_string());
        let mut ahead = Ahead::with(move || Box::pin(ready(Err(lost()))));
        assert!(matches!(
            pollster::block_on(ahead.layer()),
            Err(EngineError::DeviceLost(_))
        ));
    }
}
