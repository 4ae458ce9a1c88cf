//! Any answers in the place of the metadata service's: nothing panics, and no key comes out that cannot be refreshed.
#![no_main]

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{Request, Response};
use huaweicloud_auth::{
    Environment, HttpFuture, HttpTransport, MetadataProvider, ProvideCredentials, ProviderContext,
    TransportError, TransportErrorKind,
};
use libfuzzer_sys::fuzz_target;

/// Status and body of each answer; then nobody answers.
#[derive(Debug)]
struct Answers(Mutex<VecDeque<(u16, Vec<u8>)>>);

impl HttpTransport for Answers {
    fn send(&self, _: Request<Vec<u8>>, _: Duration) -> HttpFuture<'_> {
        let answer = self.0.lock().unwrap().pop_front();
        let answer = answer
            .and_then(|(status, body)| Response::builder().status(status).body(body).ok())
            .ok_or(TransportError::new(TransportErrorKind::Other));
        Box::pin(std::future::ready(answer))
    }
}

// Answers, with a zero byte between them: three digits of status, then the body.
fuzz_target!(|input: &[u8]| {
    let answers = input.split(|byte| *byte == 0).map_while(answer).collect();
    let transport = Arc::new(Answers(Mutex::new(answers)));
    let environment = Environment::from_iter::<[(&str, &str); 0]>([]);
    let context = ProviderContext::new(transport).with_environment(environment);
    let provider = MetadataProvider::new(&context);
    for _ in 0..2 {
        let mut future = pin!(provider.provide_credentials());
        let Poll::Ready(result) = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("nothing here waits");
        };
        match result {
            Ok(credentials) => {
                assert!(credentials.expires_at().is_some());
                assert!(credentials.security_token().is_some());
            }
            Err(error) => assert!(error.to_string().starts_with("metadata: ")),
        }
    }
});

fn answer(record: &[u8]) -> Option<(u16, Vec<u8>)> {
    let (status, body) = record.split_at_checked(3)?;
    Some((
        std::str::from_utf8(status).ok()?.parse().ok()?,
        body.to_vec(),
    ))
}
