//! What the generated types take for an answer, and what they do not.

use dms_kafka_client::types::{
    DeleteKafkaMessageRequestBody, DeleteKafkaTopicMessagesResponse, ListTopicPartitionsResponse,
};
use dms_kafka_client::{ErrorCode, PartitionResult};
use serde_json::{Value, json};

#[test]
fn arrays_are_no_objects() {
    for answer in [
        json!([]),
        json!([[]]),
        json!({"partitions": [["0", 0, "success"]]}),
        json!({"partitions": [{}, [0, 0, "success"]]}),
        json!({"partitions": [[]]}),
    ] {
        let text = answer.to_string();
        let decoded = serde_json::from_str::<DeleteKafkaTopicMessagesResponse>(&text);
        let error = decoded.unwrap_err().to_string();
        assert!(error.contains("expected an object"), "{text}: {error}");
    }
    let list = r#"{"total":1,"partitions":[[10,0,10,0,0]]}"#;
    assert!(serde_json::from_str::<ListTopicPartitionsResponse>(list).is_err());
}

#[test]
fn arrays_elsewhere_do_no_harm() {
    let text = r#"{"note":[[1]],"partitions":[{"partition":0,"replicas":[[1,2],[3]]}]}"#;
    let answer: DeleteKafkaTopicMessagesResponse = serde_json::from_str(text).unwrap();
    assert_eq!(answer.partitions[0].partition, Some(0));
}

#[test]
fn a_field_that_is_there_twice_is_refused() {
    let text = r#"{"partitions":[{"partition":0,"result":"fail","result":"success"}]}"#;
    let error = serde_json::from_str::<DeleteKafkaTopicMessagesResponse>(text).unwrap_err();
    assert!(error.to_string().contains("duplicate field"), "{error}");
}

#[test]
fn an_error_code_is_text_a_number_or_nothing() {
    let text = |text: &'static str| Some(ErrorCode::Text(text.into()));
    for (json, expected) in [
        (r#"{"error_code":"0"}"#, text("0")),
        (r#"{"error_code":"DMS.00400062"}"#, text("DMS.00400062")),
        (r#"{"error_code":""}"#, text("")),
        (r#"{"error_code":0}"#, Some(ErrorCode::Number(0))),
        (r#"{"error_code":-1}"#, Some(ErrorCode::Number(-1))),
        (
            r#"{"error_code":9223372036854775807}"#,
            Some(ErrorCode::Number(i64::MAX)),
        ),
        (r#"{"error_code":null}"#, None),
        ("{}", None),
    ] {
        let answer = format!(r#"{{"partitions":[{json}]}}"#);
        let answer: DeleteKafkaTopicMessagesResponse = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer.partitions[0].error_code, expected, "{json}");
    }
    for json in ["9223372036854775808", "0.5", "true", "[]", "{}"] {
        let answer = format!(r#"{{"partitions":[{{"error_code":{json}}}]}}"#);
        let decoded = serde_json::from_str::<DeleteKafkaTopicMessagesResponse>(&answer);
        assert!(decoded.is_err(), "{json}");
    }
}

#[test]
fn a_result_is_a_word_or_nothing() {
    for (json, expected) in [
        (r#"{"result":"success"}"#, Some("success")),
        (r#"{"result":"succ\u0065ss"}"#, Some("success")),
        (r#"{"result":"Success"}"#, Some("Success")),
        (r#"{"result":""}"#, Some("")),
        (r#"{"result":null}"#, None),
        ("{}", None),
    ] {
        let answer = format!(r#"{{"partitions":[{json}]}}"#);
        let answer: DeleteKafkaTopicMessagesResponse = serde_json::from_str(&answer).unwrap();
        let result = answer.partitions[0].result.as_ref();
        assert_eq!(result.map(PartitionResult::as_str), expected, "{json}");
    }
    for json in ["0", "true", r#"["success"]"#, r#"{"success":""}"#] {
        let answer = format!(r#"{{"partitions":[{{"result":{json}}}]}}"#);
        let decoded = serde_json::from_str::<DeleteKafkaTopicMessagesResponse>(&answer);
        assert!(decoded.is_err(), "{json}");
    }
}

#[test]
fn what_is_read_is_written_again() {
    for written in [
        json!({"partitions": [{"partition": 3, "result": "fail", "error_code": "1"}]}),
        json!({"partitions": [{"partition": 3, "result": "success", "error_code": 0}]}),
        json!({}),
    ] {
        let read: DeleteKafkaTopicMessagesResponse =
            serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), written);
    }
    let body: DeleteKafkaMessageRequestBody =
        serde_json::from_str(r#"{"partitions":[{"offset":9007199254740993,"partition":0}]}"#)
            .unwrap();
    let written: Value = serde_json::to_value(body).unwrap();
    assert_eq!(
        written["partitions"][0]["offset"],
        9_007_199_254_740_993_i64
    );
}
