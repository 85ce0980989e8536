//! The whole outbox, on real timers that nothing here waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use event::Positions;
use tokio_util::sync::CancellationToken;

use crate::budget::Budget;
use crate::courier::Courier;
use crate::testing::receiver::Receiver;
use crate::testing::receiver::Reply::Silence;
use crate::testing::{Bench, alert, created, pagerduty, start, webhook};
use crate::{Control, OutboxCounters, OutboxOptions, run_outbox};

#[tokio::test]
async fn a_slow_receiver_holds_up_no_other_and_a_stop_is_prompt() {
    let (slow, quick) = (Receiver::start([Silence, Silence, Silence]).await, Receiver::start([]).await);
    let destinations = vec![webhook(&slow.url), pagerduty(&quick.url)];
    let control = Control::in_memory().await.unwrap();
    control.set_destinations(&destinations).await.unwrap();
    let counters = Arc::new(OutboxCounters::new(&destinations));
    let stop = CancellationToken::new();
    let options = OutboxOptions::default();
    let running =
        tokio::spawn(run_outbox(control.clone(), destinations, options, stop.clone(), Arc::clone(&counters)));
    let change = created(&alert("prt_acme", "usr_1"));
    control.apply(&[change], &Positions::default(), start()).await.unwrap();
    while counters.counts()[1].delivered == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((quick.got().len(), counters.counts()[0].delivered), (1, 0));
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_courier_that_fails_is_started_again_and_still_delivers() {
    let receiver = Receiver::start([]).await;
    let bench = Bench::new(pagerduty(&receiver.url)).await;
    bench.apply(&[created(&alert("prt_acme", "usr_1"))]).await;
    let fails = Arc::new(AtomicBool::new(true));
    let (counters, control) = (Arc::clone(&bench.courier.counters), bench.control.clone());
    let courier = move || {
        let fails = Arc::clone(&fails);
        Courier {
            control: control.clone(),
            destination: pagerduty(&receiver.url),
            public_url: None,
            budget: Budget::new(60),
            counters: Arc::clone(&counters),
            now: Arc::new(move || {
                assert!(!fails.swap(false, Ordering::SeqCst), "a bug of ours");
                start()
            }),
        }
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(super::supervise(courier, stop.clone()));
    while bench.counters.counts()[0].delivered == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(bench.counters.counts()[0].restarts, 1);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn two_destinations_of_one_name_are_refused() {
    let control = Control::in_memory().await.unwrap();
    let twins = [webhook("http://127.0.0.1:9/a"), webhook("http://127.0.0.1:9/b")];
    assert!(matches!(control.set_destinations(&twins).await, Err(crate::ControlError::Invalid(_))));
}
