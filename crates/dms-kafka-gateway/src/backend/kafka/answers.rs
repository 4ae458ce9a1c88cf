//! Answers that hold one number or one failure for each partition.

use std::collections::BTreeMap;

use rdkafka::TopicPartitionList;

use super::failure::Failure;

/// What the cluster says of each partition that it was asked about.
pub(super) type Answers = BTreeMap<i32, Result<i64, Failure>>;

/// What a list holds for each of its partitions: an offset, or why there is none.
pub(super) fn answers_in(list: &TopicPartitionList) -> Answers {
    let elements = list.elements();
    let answers = elements.iter().map(|element| {
        let answer = element.error().map_err(Failure::from).and_then(|()| {
            let offset = element.offset().to_raw().filter(|offset| *offset >= 0);
            offset.ok_or_else(|| Failure::unknown(&"there is no offset in the answer"))
        });
        (element.partition(), answer)
    });
    answers.collect()
}
