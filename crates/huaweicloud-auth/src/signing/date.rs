//! The `X-Sdk-Date` header.

use std::{ops::Range, time::SystemTime};

use http::HeaderMap;
use jiff::{Timestamp, civil, tz::TimeZone};

use super::headers::X_SDK_DATE;

const LENGTH: usize = "20060102T150405Z".len();

/// Returns the text and the time of the date header, `None` when there is none, or what is wrong with it.
pub(crate) fn header_date(headers: &HeaderMap) -> Result<Option<(&str, SystemTime)>, &'static str> {
    let mut values = headers.get_all(X_SDK_DATE).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err("there is more than one X-Sdk-Date header: send one");
    }
    let text = value.to_str().unwrap_or_default().trim_ascii();
    parse(text)
        .map(|time| Some((text, time)))
        .ok_or("the X-Sdk-Date header is not a date of the form YYYYMMDDTHHMMSSZ")
}

/// `None` outside the years 0 to 9999.
pub(super) fn format(time: SystemTime) -> Option<String> {
    let at = TimeZone::UTC.to_datetime(Timestamp::try_from(time).ok()?);
    let mut text = String::with_capacity(LENGTH);
    for (mark, number) in [
        ("", at.year() / 100),
        ("", at.year() % 100),
        ("", at.month().into()),
        ("", at.day().into()),
        ("T", at.hour().into()),
        ("", at.minute().into()),
        ("", at.second().into()),
    ] {
        // A formatter takes ten times as long, and every request needs a date.
        let number = u8::try_from(number).ok()?;
        text.push_str(mark);
        text.push(char::from(b'0' + number / 10));
        text.push(char::from(b'0' + number % 10));
    }
    text.push('Z');
    Some(text)
}

fn parse(text: &str) -> Option<SystemTime> {
    if !has_shape(text) {
        return None;
    }
    let number = |digits: Range<usize>| {
        let digits = text[digits].bytes();
        digits.fold(0, |number, digit| 10 * number + i16::from(digit - b'0'))
    };
    let two_digits = |at| i8::try_from(number(at..at + 2)).ok();
    let date_time = civil::DateTime::new(
        number(0..4),
        two_digits(4)?,
        two_digits(6)?,
        two_digits(9)?,
        two_digits(11)?,
        two_digits(13)?,
        0,
    );
    let timestamp = TimeZone::UTC.to_timestamp(date_time.ok()?).ok()?;
    Some(timestamp.into())
}

/// Whether the text has the form `YYYYMMDDTHHMMSSZ`.
fn has_shape(text: &str) -> bool {
    text.len() == LENGTH
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn formats_and_parses_the_same_time() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (1_767_323_045, "20260102T030405Z"),
            (1_709_210_096, "20240229T123456Z"),
        ] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(format(time).as_deref(), Some(text));
            assert_eq!(parse(text), Some(time), "{text}");
        }
    }

    #[test]
    fn refuses_invalid_dates() {
        for text in [
            "",
            "20260102T030405",
            "20260102T030405z",
            "20260102 030405Z",
            "20260230T000000Z",
            "20261301T000000Z",
            "20260102T250000Z",
            "20260102T030460Z",
            "2026010T0304050Z",
            "+0260102T030405Z",
            "20260102T030405Z ",
            "2026-01-02T03:04:05Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn formats_no_year_after_9999() {
        let year_10000 = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800);
        assert_eq!(format(year_10000), None);
        let christmas_9999 = year_10000 - Duration::from_secs(7 * 86_400);
        assert_eq!(format(christmas_9999).as_deref(), Some("99991225T000000Z"));
    }
}
