//! `DeleteKafkaTopicMessages`: the operation that the gateway exists for.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
};

use super::admission::{Call, admit};
use crate::{
    app::App,
    backend::Backend,
    deletion::Deletion,
    faults::{FailingPartitions, Fault, Operation},
    refusal::Refusal,
    wire::{DeleteAnswer, ErrorCodeStyle, read_rows},
};

pub(super) async fn delete_messages(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<DeleteAnswer>, Refusal> {
    let call = admit(&app, Operation::Delete, request).await?;
    let rows = read_rows(&call.body)?;
    call.fault.before().await?;
    let backend = backend(&call);
    let deletion = Deletion {
        subject: call.subject,
        backend,
        rows,
        permit: call.permit,
    };
    let deleted = deletion.run(app.clone()).await?;
    call.fault.after()?;
    Ok(Json(DeleteAnswer::new(&deleted, style(&app, &call.fault))))
}

fn backend(call: &Call) -> Arc<dyn Backend> {
    let backend = call.backend.clone();
    if call.fault.fail.is_empty() {
        return backend;
    }
    Arc::new(FailingPartitions {
        backend,
        failing: call.fault.fail.clone(),
    })
}

fn style(app: &App, fault: &Fault) -> ErrorCodeStyle {
    if fault.integer_error_codes {
        ErrorCodeStyle::Integer
    } else {
        app.error_code_style
    }
}
