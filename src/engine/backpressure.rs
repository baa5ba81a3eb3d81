//! Backpressure on the GPU's queue, and waits that a cancel can end early.
//!
//! A GPU only queues the work it is given. Without backpressure every layer of a scale would be queued within
//! milliseconds, and a cancel would have to wait for all of them.

use super::protocol::Event;
use super::{EngineError, Host};
use burn::tensor::{Device, Tensor};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

/// Layers that may wait in the GPU's queue. With fewer it would be idle between two layers.
const MAX_IN_FLIGHT: usize = 2;

type Read = Pin<Box<dyn Future<Output = Result<(), EngineError>>>>;

/// The layers in flight, with one fence in the GPU's queue behind each.
///
/// A fence is the read of a single value. It must be awaited even after a cancel: the buffer of a dropped read is
/// reused while it is still mapped. Outside of a browser burn reads when the value is looked at, so nothing waits
/// there.
pub struct InFlight {
    fence: Box<dyn Fn() -> Read>,
    reads: VecDeque<Read>,
}

impl InFlight {
    pub fn new(device: &Device) -> Self {
        let value = Tensor::from_data([0f32], device);
        Self::with(move || Box::pin(read(value.clone())))
    }

    fn with(fence: impl Fn() -> Read + 'static) -> Self {
        Self {
            fence: Box::new(fence),
            reads: VecDeque::new(),
        }
    }

    /// Fences the end of a layer, and waits while more than [`MAX_IN_FLIGHT`] layers are in flight. The future may be
    /// dropped.
    pub async fn layer_queued(&mut self) -> Result<(), EngineError> {
        let mut read = (self.fence)();
        // It enters the queue when it is polled for the first time.
        match poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => {
                self.reads.push_back(read);
                self.until(MAX_IN_FLIGHT).await
            }
        }
    }

    /// Waits for all layers.
    pub async fn drain(&mut self) -> Result<(), EngineError> {
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

/// Waits until the device has finished all queued work. burn only offers such a wait in a browser.
pub async fn synchronize(device: &Device) -> Result<(), EngineError> {
    read(Tensor::from_data([0f32], device)).await
}

async fn read(value: Tensor<1>) -> Result<(), EngineError> {
    let data = value.into_data_async().await;
    data.map(|_| ())
        .map_err(|error| EngineError::DeviceLost(error.to_string()))
}

/// The result of `work`. If the host cancels before it is there, `Cancelled` is emitted at once, `work` is awaited all
/// the same, and the result is `None`.
pub async fn unless_cancelled<T>(work: impl Future<Output = T>, scales: usize, host: &impl Host) -> Option<T> {
    let (mut work, mut cancelled) = (pin!(work), pin!(host.until_cancelled()));
    let outcome = poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => cancelled.as_mut().poll(context).map(|()| None),
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

    /// Cancels when it is polled for the second time.
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

        fn yield_now(&self) -> impl Future<Output = ()> {
            ready(())
        }

        fn until_cancelled(&self) -> impl Future<Output = ()> {
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
    fn a_cancel_is_answered_while_the_work_goes_on_to_its_end() {
        let (host, ended) = (Impatient::default(), Cell::new(false));
        assert_eq!(pollster::block_on(unless_cancelled(work(9, &ended), 3, &host)), None);
        assert!(ended.get(), "the work was left undone");
        assert_eq!(*host.events.borrow(), ["Cancelled { scales: 3 }"]);
        let (host, ended) = (Impatient::default(), Cell::new(false));
        assert_eq!(
            pollster::block_on(unless_cancelled(work(2, &ended), 3, &host)),
            Some("done")
        );
        assert_eq!(host.events.borrow().len(), 0);
    }

    #[test]
    fn few_layers_are_under_way() {
        // A device that has passed the first `passed` fences.
        let (passed, given) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let device = (passed.clone(), given.clone());
        let mut in_flight = InFlight::with(move || {
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
        for _ in 0..MAX_IN_FLIGHT {
            assert!(pin!(in_flight.layer_queued()).poll(&mut context).is_ready());
        }
        {
            let mut layer = pin!(in_flight.layer_queued());
            assert!(layer.as_mut().poll(&mut context).is_pending());
            passed.set(1);
            assert!(layer.poll(&mut context).is_ready());
        }
        // A wait that is given up loses no fence.
        assert!(pin!(in_flight.layer_queued()).poll(&mut context).is_pending());
        assert_eq!(
            (in_flight.reads.len(), given.get()),
            (MAX_IN_FLIGHT + 1, MAX_IN_FLIGHT + 2)
        );
        assert!(pin!(in_flight.drain()).poll(&mut context).is_pending());
        passed.set(given.get());
        assert!(pin!(in_flight.drain()).poll(&mut context).is_ready());
        assert_eq!(in_flight.reads.len(), 0);
    }

    #[test]
    fn a_lost_device_ends_the_wait() {
        let lost = || EngineError::DeviceLost("gone".to_string());
        let mut in_flight = InFlight::with(move || Box::pin(ready(Err(lost()))));
        assert!(matches!(
            pollster::block_on(in_flight.layer_queued()),
            Err(EngineError::DeviceLost(_))
        ));
    }
}
