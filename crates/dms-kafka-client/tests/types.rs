//! Which JSON the generated types accept.

use dms_kafka_client::types::{
    DeleteKafkaMessageRequestBody, DeleteKafkaTopicMessagesResponse, ListTopicPartitionsResponse,
};
use dms_kafka_client::{ErrorCode, PartitionResult};
use serde_json::{Value, json};

#[test]
fn arrays_are_refused_in_place_of_objects() {
    for response in [
        json!([]),
        json!([[]]),
        json!({"partitions": [["0", 0, "success"]]}),
        json!({"partitions": [{}, [0, 0, "success"]]}),
        json!({"partitions": [[]]}),
    ] {
        let text = response.to_string();
        let decoded = serde_json::from_str::<DeleteKafkaTopicMessagesResponse>(&text);
        let error = decoded.unwrap_err().to_string();
        assert!(error.contains("expected an object"), "{text}: {error}");
    }
    let list = r#"{"total":1,"partitions":[[10,0,10,0,0]]}"#;
    assert!(serde_json::from_str::<ListTopicPartitionsResponse>(list).is_err());
}

#[test]
fn arrays_in_unknown_fields_are_accepted() {
    let text = r#"{"note":[[1]],"partitions":[{"partition":0,"replicas":[[1,2],[3]]}]}"#;
    let response: DeleteKafkaTopicMessagesResponse = serde_json::from_str(text).unwrap();
    assert_eq!(response.partitions[0].partition, Some(0));
}

#[test]
fn a_repeated_field_is_refused() {
    let text = r#"{"partitions":[{"partition":0,"result":"fail","result":"success"}]}"#;
    let error = serde_json::from_str::<DeleteKafkaTopicMessagesResponse>(text).unwrap_err();
    assert!(error.to_string().contains("duplicate field"), "{error}");
}

#[test]
fn an_error_code_is_a_string_an_integer_or_absent() {
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
        let response = format!(r#"{{"partitions":[{json}]}}"#);
        let response: DeleteKafkaTopicMessagesResponse = serde_json::from_str(&response).unwrap();
        assert_eq!(response.partitions[0].error_code, expected, "{json}");
    }
    for json in ["9223372036854775808", "0.5", "true", "[]", "{}"] {
        let response = format!(r#"{{"partitions":[{{"error_code":{json}}}]}}"#);
        let decoded = serde_json::from_str::<DeleteKafkaTopicMessagesResponse>(&response);
        assert!(decoded.is_err(), "{json}");
    }
}

#[test]
fn a_result_is_a_string_or_absent() {
    for (json, expected) in [
        (r#"{"result":"success"}"#, Some("success")),
        (r#"{"result":"succ\u0065ss"}"#, Some("success")),
        (r#"{"result":"Success"}"#, Some("Success")),
        (r#"{"result":""}"#, Some("")),
        (r#"{"result":null}"#, None),
        ("{}", None),
    ] {
        let response = format!(r#"{{"partitions":[{json}]}}"#);
        let response: DeleteKafkaTopicMessagesResponse = serde_json::from_str(&response).unwrap();
        let result = response.partitions[0].result.as_ref();
        assert_eq!(result.map(PartitionResult::as_str), expected, "{json}");
    }
    for json in ["0", "true", r#"["success"]"#, r#"{"success":""}"#] {
        let response = format!(r#"{{"partitions":[{{"result":{json}}}]}}"#);
        let decoded = serde_json::from_str::<DeleteKafkaTopicMessagesResponse>(&response);
        assert!(decoded.is_err(), "{json}");
    }
}

#[test]
fn json_is_written_as_it_was_read() {
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
