//! The plots of the page: SVG without a colour of its own, so that the page's style decides what is light and dark.

use hdrhistogram::Histogram;
use plotters::coord::combinators::IntoLogRange as _;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::{
    AreaSeries, ChartBuilder, IntoDrawingArea as _, IntoFont as _, LineSeries, RGBColor, SVGBackend, ShapeStyle,
    TextStyle,
};
use plotters::style::Color as _;

use crate::table::number;

/// A line's points, and its axes' names with their units.
pub(crate) struct Line<'n> {
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) x: &'n str,
    pub(crate) y: &'n str,
}

/// Colours that the page's style names; plotters only knows numbers, which are replaced in what it drew.
const INK: RGBColor = RGBColor(1, 2, 3);
const LINE: RGBColor = RGBColor(4, 5, 6);
const NAMES: [(&str, &str); 2] = [("#010203", "var(--ink)"), ("#040506", "var(--line)")];

const WIDTH: u32 = 560;
const HEIGHT: u32 = 270;
const LETTERS: f64 = 15.0;

type Failed = Box<dyn std::error::Error>;

/// A line over an axis that begins at zero, both axes linear.
pub(crate) fn line(line: &Line<'_>) -> Result<String, String> {
    let most = |of: fn(&(f64, f64)) -> f64| line.points.iter().map(of).fold(0.0, f64::max);
    let from = line.points.iter().map(|(x, _)| *x).fold(f64::INFINITY, f64::min).min(0.0);
    let (right, top) = (most(|p| p.0), most(|p| p.1) * 1.08);
    // A server that does nothing is a line at zero and no fault of the drawing.
    let (right, top) = (if right > from { right } else { from + 1.0 }, if top > 0.0 { top } else { 1.0 });
    draw(line, from..right, 0.0..top, &|x| number_short(*x), &|y| number_short(*y), 0.0)
        .map_err(|e| format!("plot: {e}"))
}

/// Latency in milliseconds by percentile. The axis stretches towards the worst: each step is ten times rarer.
pub(crate) fn percentiles(histogram: &Histogram<u64>) -> Result<String, String> {
    // Beyond one in all of them there is nothing to see.
    let rarest = (histogram.len().max(10) as f64).log10().min(5.0);
    let steps = 240;
    let points: Vec<(f64, f64)> = (0..=steps)
        .map(|step| {
            let x = rarest * f64::from(step) / f64::from(steps);
            (x, histogram.value_at_quantile(1.0 - 10_f64.powf(-x)) as f64 / 1e6)
        })
        .collect();
    let least = points.iter().map(|(_, ms)| *ms).fold(f64::INFINITY, f64::min).max(0.001);
    let most = points.iter().map(|(_, ms)| *ms).fold(least, f64::max);
    let (bottom, top) = (10_f64.powf(least.log10().floor()), 10_f64.powf(most.log10().ceil()).max(least * 10.0));
    let line = Line { points, x: "percentile", y: "latency, ms" };
    draw(&line, 0.0..rarest, (bottom..top).log_scale(), &percent, &|y| number_short(*y), bottom)
        .map_err(|e| format!("plot: {e}"))
}

/// 0 is no percentile, 1 is the 90th, 2 the 99th, and so on.
fn percent(x: &f64) -> String {
    let percent = 100.0 * (1.0 - 10_f64.powf(-x));
    let decimals = (x.round() - 2.0).max(0.0) as usize;
    format!("{percent:.decimals$}")
}

/// As few letters as an axis has room for.
fn number_short(value: f64) -> String {
    let text = number(value);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn draw<X, Y>(
    line: &Line<'_>,
    x: X,
    y: Y,
    x_label: &dyn Fn(&f64) -> String,
    y_label: &dyn Fn(&f64) -> String,
    floor: f64,
) -> Result<String, Failed>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64> + Ranged<ValueType = f64>,
    Y::CoordDescType: ValueFormatter<f64> + Ranged<ValueType = f64>,
{
    let letters: TextStyle<'_> = ("sans-serif", LETTERS).into_font().color(&INK);
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .margin_top(10)
        .margin_right(22)
        .margin_bottom(4)
        .x_label_area_size(44)
        .y_label_area_size(66)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(INK.mix(0.0))
        .bold_line_style(INK.mix(0.14))
        .axis_style(INK.mix(0.35))
        .label_style(letters.clone())
        .axis_desc_style(letters)
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|value| x_label(value))
        .y_label_formatter(&|value| y_label(value))
        .x_desc(line.x)
        .y_desc(line.y)
        .draw()?;
    let points = || line.points.iter().copied();
    chart.draw_series(AreaSeries::new(points(), floor, LINE.mix(0.12)))?;
    chart
        .draw_series(LineSeries::new(points(), ShapeStyle { color: LINE.to_rgba(), filled: false, stroke_width: 2 }))?;
    area.present()?;
    drop((chart, area));
    // In a page an SVG needs no namespace, and its size is the page's affair.
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let name = format!("{} by {}", line.y, line.x);
    let svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{name}\">{body}");
    Ok(NAMES.iter().fold(svg, |svg, (number, name)| svg.replace(number, name)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Line, line, percent, percentiles};
    use crate::report::histogram;

    #[test]
    fn anything_can_be_drawn() {
        let sets: [&[(f64, f64)]; 4] =
            [&[(0.0, 0.0), (1.0, 0.0)], &[(5.0, 5.0)], &[(0.0, 1e12), (1e9, 1e-9)], &[(-1.0, 3.0), (0.0, 4.0)]];
        for points in sets {
            let svg = line(&Line { points: points.to_vec(), x: "s", y: "W" }).unwrap();
            assert!(
                svg.starts_with("<svg viewBox") && svg.trim_end().ends_with("</svg>") && !svg.contains("NaN"),
                "{svg}"
            );
        }
    }

    #[test]
    fn any_latency_can_be_drawn() {
        for times in [&[1_u64][..], &[5_000_000; 3], &[1_000, 119_000_000_000]] {
            let mut histogram = histogram().unwrap();
            times.iter().for_each(|ns| histogram.saturating_record(*ns));
            let svg = percentiles(&histogram).unwrap();
            assert!(svg.contains("\n90\n") && svg.contains("latency, ms") && !svg.contains("NaN"), "{svg}");
        }
    }

    #[test]
    fn percentiles_are_written_as_people_say_them() {
        assert_eq!([0.0, 1.0, 2.0, 3.0, 4.0].map(|x| percent(&x)), ["0", "90", "99", "99.9", "99.99"]);
    }
}
