//! `dms-kafka regions`.

use std::iter;

use clap::Args;
use dms_kafka::auth::{EndpointResolver, Environment, Region};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::output::{self, Format};
use crate::service_settings;
use crate::stdout;

#[derive(Debug, Args)]
pub(crate) struct Regions {
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub(crate) output: Format,
}

/// Environment and regions file override the known endpoints.
pub(crate) fn regions(arguments: &Regions) -> Result<Exit, Failure> {
    let resolver = EndpointResolver::new(Environment::from_process());
    let mut regions = Vec::new();
    for region in Region::KNOWN {
        let endpoints = service_settings::endpoints(&resolver, region, region.id())?;
        regions.push((region, endpoints));
    }
    match arguments.output {
        Format::Table => {
            let mut table = output::table(&["region", "endpoint"]);
            for (region, endpoints) in &regions {
                table.add_row([region.id(), &endpoints.join(", ")]);
            }
            stdout::print_coloured(&output::coloured_lines(&table, iter::empty()))?;
        }
        Format::Json => {
            let listed: Vec<Value> = regions
                .iter()
                .map(|(region, endpoints)| json!({"region": region.id(), "endpoints": endpoints}))
                .collect();
            stdout::print(&format!("{}\n", json!({"regions": listed})))?;
        }
    }
    Ok(Exit::Done)
}
