//! The two plots of BENCHMARKS.md.

use std::path::Path;

use plotters::prelude::*;

use crate::Result;
use crate::results::{PeerRow, Results, Workload};

const SIZE: (u32, u32) = (760, 460);
/// One for each peer that a plot can have.
const COLOURS: [RGBColor; 8] = [
    RGBColor(31, 119, 180),
    RGBColor(255, 127, 14),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
    RGBColor(214, 39, 40),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(127, 127, 127),
];

/// One line: a peer and its points.
struct Line {
    peer: String,
    points: Vec<(f64, f64)>,
}

pub(crate) fn write(results: &Results, folder: &Path) -> Result<()> {
    let cost = lines(
        results,
        |work| work.in_flight == 1,
        |work| work.partitions,
        |row| row.cpu_micros.median,
    );
    draw(
        &folder.join("cost-by-partitions.svg"),
        "CPU time of a call by partitions named in it",
        ("partitions in the request", "microseconds of CPU time"),
        &cost,
    )?;
    let rate = lines(
        results,
        |work| work.in_flight > 1 && work.partitions == 1,
        |work| work.in_flight,
        |row| row.calls_per_second.median,
    );
    draw(
        &folder.join("rate-by-concurrency.svg"),
        "Calls per second by calls in flight",
        ("calls in flight", "calls per second"),
        &rate,
    )
}

fn lines(
    results: &Results,
    wanted: fn(&Workload) -> bool,
    x: fn(&Workload) -> usize,
    y: fn(&PeerRow) -> f64,
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for work in results.workloads.iter().filter(|work| wanted(work)) {
        for row in &work.peers {
            #[expect(clippy::cast_precision_loss, reason = "100,000 at most")]
            let point = (x(work) as f64, y(row));
            match lines.iter_mut().find(|line| line.peer == row.peer) {
                Some(line) => line.points.push(point),
                None => lines.push(Line {
                    peer: row.peer.clone(),
                    points: vec![point],
                }),
            }
        }
    }
    lines.retain(|line| line.points.len() > 2);
    lines
}

/// Both axes are logarithmic: a straight line of slope one is linear growth.
fn draw(path: &Path, title: &str, axes: (&str, &str), lines: &[Line]) -> Result<()> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let around = |value: fn(&(f64, f64)) -> f64| {
        let least = points().map(value).fold(f64::INFINITY, f64::min);
        let most = points().map(value).fold(0.0, f64::max);
        (least / 1.5..most * 1.5).log_scale()
    };
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(70)
        .build_cartesian_2d(around(|point| point.0), around(|point| point.1))?;
    chart
        .configure_mesh()
        .x_desc(axes.0)
        .y_desc(axes.1)
        .light_line_style(WHITE)
        .draw()?;
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(line.points.clone(), style).point_size(3))?
            .label(&line.peer)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}
