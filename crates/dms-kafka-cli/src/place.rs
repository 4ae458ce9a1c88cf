//! Where the service is: an endpoint, or a region that tells it.

use dms_kafka::ClientBuilder;
use dms_kafka::auth::Region;

use crate::arguments::Service;
use crate::exit::Failure;
use crate::setting::Setting;

/// How the endpoint is found.
pub(crate) struct Place {
    endpoint: Option<Setting>,
    region: Option<(Region, Setting)>,
}

impl Place {
    /// What is typed goes before what is in the environment: a region that is typed is not overruled by a variable
    /// with an endpoint.
    pub(crate) fn find(service: &Service) -> Result<Self, Failure> {
        let mut endpoint = Setting::optional(
            service.endpoint.as_ref(),
            "--endpoint",
            "DMS_KAFKA_ENDPOINT",
        )?;
        let region = Setting::optional(service.region.as_ref(), "--region", "DMS_KAFKA_REGION")?;
        if region.as_ref().is_some_and(|region| region.is_typed)
            && endpoint.as_ref().is_some_and(|endpoint| !endpoint.is_typed)
        {
            endpoint = None;
        }
        if endpoint.is_none() && region.is_none() {
            return Err(Failure::usage(
                "neither --endpoint nor --region is given, nor is DMS_KAFKA_ENDPOINT or DMS_KAFKA_REGION set; to try \
                 without a service use --embedded",
            ));
        }
        let region = match region {
            Some(setting) => Some((
                Region::new(setting.value.as_str()).map_err(Failure::usage)?,
                setting,
            )),
            None => None,
        };
        Ok(Self { endpoint, region })
    }

    pub(crate) fn tell(&self, mut builder: ClientBuilder) -> ClientBuilder {
        if let Some((region, _)) = &self.region {
            builder = builder.region(region.clone());
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.endpoint(&endpoint.value);
        }
        builder
    }

    pub(crate) fn source(&self) -> String {
        match (&self.endpoint, &self.region) {
            (Some(endpoint), _) => endpoint.source.clone(),
            (None, Some((region, setting))) => format!("the region {region} ({})", setting.source),
            (None, None) => String::new(),
        }
    }

    /// The library names its own methods: people need the flags.
    pub(crate) fn explain(&self, error: dms_kafka::Error) -> Failure {
        let is_plaintext = self
            .endpoint
            .as_ref()
            .is_some_and(|endpoint| endpoint.value.starts_with("http://"));
        match (
            error.message().contains("allow_plaintext_http"),
            self.region.is_none(),
        ) {
            (true, _) if is_plaintext => Failure::usage(format!(
                "the endpoint {:?} is not encrypted: use https, or give --allow-plaintext-http",
                self.endpoint
                    .as_ref()
                    .map(|endpoint| endpoint.value.as_str())
                    .unwrap_or_default()
            )),
            (false, true) if error.message().starts_with("no project id") => Failure::usage(
                "--project-id is missing: give it, or set HUAWEICLOUD_SDK_PROJECT_ID, or give a --region, whose own \
                 project is then looked up",
            ),
            _ => Failure::call(error),
        }
    }
}
