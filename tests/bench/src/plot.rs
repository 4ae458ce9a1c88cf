//! Draws the two plots of BENCHMARKS.md.

use std::path::Path;

use plotters::prelude::*;

use crate::metrics::Results;
use crate::process::Result;

const SIZE: (u32, u32) = (760, 460);
/// One colour per peer.
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

type Line<'a> = (&'a str, Vec<(f64, f64)>);

pub(crate) fn write(results: &Results, folder: &Path) -> Result<()> {
    draw(
        &folder.join("cost-by-partitions.svg"),
        "CPU time of a call by partitions named in it",
        ("partitions in the request", "microseconds of CPU time"),
        &lines(results, "One call at a time", "CPU us per call"),
    )?;
    draw(
        &folder.join("rate-by-concurrency.svg"),
        "Calls per second by calls in flight",
        ("calls in flight", "calls per second"),
        &lines(results, "Many calls at once", "calls/s"),
    )
}

/// The lines of the peers in more than two tables of a section. A table's title begins with the x coordinate.
fn lines<'a>(results: &'a Results, section: &str, column: &str) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for metric in &results.metrics {
        let [of, table, peer, metric_column] = &metric.name;
        let number = table.split(' ').next().map(str::parse);
        let (Some(Ok(x)), true) = (number, of == section && metric_column == column) else {
            continue;
        };
        let point = (x, metric.median());
        match lines.iter_mut().find(|(name, _)| name == peer) {
            Some((_, points)) => points.push(point),
            None => lines.push((peer, vec![point])),
        }
    }
    lines.retain(|(_, points)| points.len() > 2);
    lines
}

/// Draws lines with logarithmic axes, on which linear growth is a straight line of slope one.
fn draw(path: &Path, title: &str, axes: (&str, &str), lines: &[Line<'_>]) -> Result<()> {
    let points = || lines.iter().flat_map(|(_, points)| points);
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
    for ((peer, points), colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.clone(), style).point_size(3))?
            .label(*peer)
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
