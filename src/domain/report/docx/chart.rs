//! A chart of a Word file: a part of DrawingML with its figures in itself, so that Word draws it anew at any size and the
//! clerk may dress it otherwise. No workbook hangs on it: the figures are those of the table beside it.

use std::fmt::Write as _;

use super::super::paper::Chart;
use super::{R, xml};

const A: &str = "http://schemas.openxmlformats.org/drawingml/2006/main";
const C: &str = "http://schemas.openxmlformats.org/drawingml/2006/chart";
const WP: &str = "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing";

/// More days than this bear no figures over their bars.
const MOST_FIGURES: usize = 40;

/// The place of chart `number` (from 1) in the text, as wide as given in twentieths of a point.
pub(super) fn place(chart: &Chart, number: usize, width: u32) -> String {
    // 635 English metric units are a twentieth of a point.
    let (wide, high) = (u64::from(width) * 635, u64::from(width) * 635 * 2 / 5);
    format!(
        "<w:r><w:drawing><wp:inline xmlns:wp=\"{WP}\" distT=\"0\" distB=\"0\" distL=\"0\" distR=\"0\"><wp:extent cx=\"{wide}\" cy=\"{high}\"/><wp:docPr id=\"{number}\" name=\"Biểu đồ {number}\" descr=\"{}\"/><a:graphic xmlns:a=\"{A}\"><a:graphicData uri=\"{C}\"><c:chart xmlns:c=\"{C}\" r:id=\"rIdChart{number}\"/></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>",
        xml(&chart.caption)
    )
}

/// What hangs on the document for it.
pub(super) fn relationship(number: usize) -> String {
    format!("<Relationship Id=\"rIdChart{number}\" Type=\"{R}/chart\" Target=\"charts/chart{number}.xml\"/>")
}

/// What the list of parts says of it.
pub(super) fn content_type(number: usize) -> String {
    format!(
        "<Override PartName=\"/word/charts/chart{number}.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.drawingml.chart+xml\"/>"
    )
}

/// A series: its name, how it is drawn, the days and a figure for each.
fn series(number: u32, name: &str, drawn: &str, chart: &Chart, figure: impl Fn(u64) -> u64) -> String {
    let (mut days, mut figures) = (String::new(), String::new());
    for (i, (date, n)) in chart.days.iter().enumerate() {
        let _ = write!(days, "<c:pt idx=\"{i}\"><c:v>{}</c:v></c:pt>", date.format("%d/%m"));
        let _ = write!(figures, "<c:pt idx=\"{i}\"><c:v>{}</c:v></c:pt>", figure(*n));
    }
    let count = chart.days.len();
    format!(
        "<c:ser><c:idx val=\"{number}\"/><c:order val=\"{number}\"/><c:tx><c:v>{}</c:v></c:tx>{drawn}<c:cat><c:strLit><c:ptCount val=\"{count}\"/>{days}</c:strLit></c:cat><c:val><c:numLit><c:formatCode>0</c:formatCode><c:ptCount val=\"{count}\"/>{figures}</c:numLit></c:val>",
        xml(name)
    )
}

/// The part itself.
pub(super) fn part(chart: &Chart) -> String {
    let axes = "<c:axId val=\"1\"/><c:axId val=\"2\"/>";
    let shown = u8::from(chart.days.len() <= MOST_FIGURES);
    let bars = format!(
        "<c:spPr><a:solidFill><a:srgbClr val=\"777777\"/></a:solidFill></c:spPr><c:invertIfNegative val=\"0\"/><c:dLbls><c:dLblPos val=\"outEnd\"/><c:showLegendKey val=\"0\"/><c:showVal val=\"{shown}\"/><c:showCatName val=\"0\"/><c:showSerName val=\"0\"/><c:showPercent val=\"0\"/><c:showBubbleSize val=\"0\"/></c:dLbls>"
    );
    let bars = series(0, chart.counted, &bars, chart, |n| n);
    let mut plots = format!(
        "<c:barChart><c:barDir val=\"col\"/><c:grouping val=\"clustered\"/><c:varyColors val=\"0\"/>{bars}</c:ser><c:gapWidth val=\"56\"/>{axes}</c:barChart>"
    );
    if let Some(quota) = chart.quota {
        let line = "<c:spPr><a:ln w=\"19050\"><a:solidFill><a:srgbClr val=\"000000\"/></a:solidFill><a:prstDash val=\"dash\"/></a:ln></c:spPr><c:marker><c:symbol val=\"none\"/></c:marker>";
        let line = series(1, &chart.quota_words(quota), line, chart, |_| quota);
        let _ = write!(
            plots,
            "<c:lineChart><c:grouping val=\"standard\"/><c:varyColors val=\"0\"/>{line}<c:smooth val=\"0\"/></c:ser><c:marker val=\"1\"/>{axes}</c:lineChart>"
        );
    }
    let ends = |id: u8, more: &str, place: &str| {
        format!(
            "<c:axId val=\"{id}\"/><c:scaling><c:orientation val=\"minMax\"/>{more}</c:scaling><c:delete val=\"0\"/><c:axPos val=\"{place}\"/><c:numFmt formatCode=\"0\" sourceLinked=\"0\"/><c:majorTickMark val=\"none\"/><c:minorTickMark val=\"none\"/><c:tickLblPos val=\"nextTo\"/><c:spPr><a:ln w=\"6350\"><a:solidFill><a:srgbClr val=\"000000\"/></a:solidFill></a:ln></c:spPr><c:crossAx val=\"{}\"/><c:crosses val=\"autoZero\"/>",
            3 - id
        )
    };
    let every = chart.days.len().div_ceil(16).max(1);
    let step = chart.most().div_ceil(5).max(1);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<c:chartSpace xmlns:c=\"{C}\" xmlns:a=\"{A}\"><c:roundedCorners val=\"0\"/><c:chart><c:autoTitleDeleted val=\"1\"/><c:plotArea><c:layout/>{plots}<c:catAx>{}<c:auto val=\"0\"/><c:lblAlgn val=\"ctr\"/><c:lblOffset val=\"100\"/><c:tickLblSkip val=\"{every}\"/><c:noMultiLvlLbl val=\"1\"/></c:catAx><c:valAx>{}<c:crossBetween val=\"between\"/><c:majorUnit val=\"{step}\"/></c:valAx></c:plotArea><c:legend><c:legendPos val=\"b\"/><c:overlay val=\"0\"/></c:legend><c:plotVisOnly val=\"1\"/><c:dispBlanksAs val=\"gap\"/></c:chart><c:spPr><a:noFill/><a:ln><a:noFill/></a:ln></c:spPr><c:txPr><a:bodyPr/><a:p><a:pPr><a:defRPr sz=\"1000\"><a:latin typeface=\"Times New Roman\"/></a:defRPr></a:pPr><a:endParaRPr lang=\"vi-VN\"/></a:p></c:txPr></c:chartSpace>",
        ends(1, "", "b"),
        ends(2, "<c:min val=\"0\"/>", "l"),
    )
}
