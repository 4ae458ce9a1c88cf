//! The JSON of offsets files. A derived implementation would keep all rows, and take lists for objects.

use std::fmt;

use dms_kafka::{PartitionId, TopicName};
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Unexpected, Visitor,
};

use super::{EVERYTHING, Row, Visit};

/// The document of `kafka-delete-records.sh`, whose rows are handed on while it is read.
pub(super) struct Document<'a, 'b>(pub(super) &'a mut Visit<'b>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum DocumentField {
    Partitions,
    Version,
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"an object such as {"partitions":[…],"version":1}"#)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut has_partitions, mut has_version) = (false, false);
        while let Some(field) = map.next_key()? {
            match field {
                DocumentField::Partitions if has_partitions => {
                    return Err(A::Error::duplicate_field("partitions"));
                }
                DocumentField::Partitions => {
                    map.next_value_seed(Rows(self.0))?;
                    has_partitions = true;
                }
                DocumentField::Version if has_version => {
                    return Err(A::Error::duplicate_field("version"));
                }
                DocumentField::Version => {
                    let version = map.next_value_seed(VERSION)?;
                    if version != 1 {
                        return Err(A::Error::custom(format!(
                            "version {version} is not supported: it must be 1"
                        )));
                    }
                    has_version = true;
                }
            }
        }
        if has_partitions {
            Ok(())
        } else {
            Err(A::Error::missing_field("partitions"))
        }
    }
}

struct Rows<'a, 'b>(&'a mut Visit<'b>);

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(()) = rows.next_element_seed(RowSeed(&mut *self.0))? {}
        Ok(())
    }
}

/// A row that is handed on before the reader goes behind it, so that an error tells its place.
pub(super) struct RowSeed<'a, 'b>(pub(super) &'a mut Visit<'b>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum RowField {
    Topic,
    Partition,
    Offset,
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a row such as {"topic":"orders","partition":0,"offset":400}"#)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut topic, mut partition, mut offset) = (None, None, None);
        while let Some(field) = map.next_key()? {
            match field {
                RowField::Topic => once(&mut topic, "topic", checked_topic(map.next_value()?)?)?,
                RowField::Partition => {
                    once(
                        &mut partition,
                        "partition",
                        checked_partition(map.next_value_seed(PARTITION)?)?,
                    )?;
                }
                RowField::Offset => {
                    once(
                        &mut offset,
                        "offset",
                        checked_offset(map.next_value_seed(OFFSET)?)?,
                    )?;
                }
            }
        }
        let row = Row {
            topic: topic.ok_or_else(|| A::Error::missing_field("topic"))?,
            partition: partition.ok_or_else(|| A::Error::missing_field("partition"))?,
            offset: offset.ok_or_else(|| A::Error::missing_field("offset"))?,
        };
        (self.0)(row).map_err(A::Error::custom)
    }
}

fn once<T, E: serde::de::Error>(
    slot: &mut Option<T>,
    name: &'static str,
    value: T,
) -> Result<(), E> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::duplicate_field(name)),
    }
}

fn checked_topic<E: serde::de::Error>(topic: String) -> Result<String, E> {
    TopicName::new(topic).map(String::from).map_err(E::custom)
}

fn checked_partition<E: serde::de::Error>(partition: i64) -> Result<i32, E> {
    let number = i32::try_from(partition)
        .map_err(|_| E::invalid_value(Unexpected::Signed(partition), &PARTITION))?;
    PartitionId::new(number)
        .map(PartitionId::get)
        .map_err(E::custom)
}

fn checked_offset<E: serde::de::Error>(offset: i64) -> Result<i64, E> {
    if offset < EVERYTHING {
        return Err(E::custom(format!(
            "offset {offset} is negative: offsets count from 0, and -1 deletes all records of the partition"
        )));
    }
    Ok(offset)
}

/// A whole number, and how errors call it.
#[derive(Clone, Copy)]
struct Number(&'static str);

const VERSION: Number = Number("the version 1");
const PARTITION: Number = Number("a partition, a whole number from 0 to 2147483647");
const OFFSET: Number =
    Number("an offset, a whole number from 0 to 9223372036854775807, or -1 for all records");

impl<'de> DeserializeSeed<'de> for Number {
    type Value = i64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<i64, D::Error> {
        deserializer.deserialize_i64(self)
    }
}

impl Visitor<'_> for Number {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
}
