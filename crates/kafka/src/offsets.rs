//! Where partitions begin and end, also while they change their leader.

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};

/// How soon a new leader is asked for.
const PAUSE: Duration = Duration::from_millis(100);

/// The offsets of times, of which `Beginning` and `End` are two. A partition without a leader, or whose
/// leader does not know its end yet, is asked again.
pub(crate) fn offsets_for_times<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    times: &TopicPartitionList,
    patience: Duration,
) -> KafkaResult<TopicPartitionList> {
    let began = Instant::now();
    loop {
        let found = consumer.offsets_for_times(times.clone(), patience);
        let code = match &found {
            Ok(list) => list.elements().iter().find_map(|one| one.error().err()?.rdkafka_error_code()),
            Err(error) => error.rdkafka_error_code(),
        };
        if !code.is_some_and(is_passing) || began.elapsed() >= patience {
            return found;
        }
        pause();
    }
}

fn is_passing(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{LeaderNotAvailable, NotLeaderForPartition, OffsetNotAvailable};
    matches!(code, LeaderNotAvailable | NotLeaderForPartition | OffsetNotAvailable)
}

#[expect(clippy::disallowed_methods, reason = "nobody tells when a leader is elected")]
fn pause() {
    std::thread::sleep(PAUSE);
}
