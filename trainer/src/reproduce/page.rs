//! A study as a page.

use std::path::Path;

use super::experiment::title_of;
use super::summary::{Group, groups, mean_and_spread};
use super::{Experiment, Findings, ReproduceError, Yardstick};
use crate::config::OptimizerKind;
use crate::files;
use crate::generate::{self, COMPONENTS, Gallery};
use crate::methods::Method;
use crate::rank::DEFAULT_ENERGY;
use crate::report::{self, Axis, Line, LinePlot, MAX_BYTES, Page, Table};
use crate::run::Run;
use crate::sheet::Row;

/// Pictures in a row.
const COLUMNS: usize = 10;
/// Axes that are walked along, and how many deviations to either side: those of the paper's code.
const WALKS: usize = 4;
const REACH: f64 = 2.0;
/// Singular values below this share of the largest are drawn at it.
const FLOOR: f32 = 1e-9;

/// Writes `report.html` into `folder`.
pub(super) fn write(
    findings: &Findings,
    plan: &[Experiment],
    folder: &Path,
    yardstick: &Yardstick<'_>,
) -> Result<(), ReproduceError> {
    let groups = groups(plan, &findings.runs);
    let stamp = Stamp::new(findings, plan);
    let mut page = Page::new(&format!("IRMAE on {}", findings.study.name()), &lead(findings, yardstick, &stamp));
    failures(&mut page, &groups);
    spectra(&mut page, findings, &groups, &stamp);
    ranks(&mut page, findings, &groups, &stamp);
    quality(&mut page, findings, &groups, &stamp);
    downstream(&mut page, findings, &groups, &stamp);
    pictures(&mut page, &groups, folder, yardstick, &stamp)?;
    page.section("Figures").paragraph(
        "All figures of this page are in it as JSON, in the element with the id data; report.json beside it is the same.",
    );
    page.data(findings);
    let bytes = page.html().len();
    if bytes > MAX_BYTES {
        eprintln!("the report has {bytes} bytes, more than the {MAX_BYTES} that it is to have");
    }
    Ok(page.write(&folder.join(files::REPORT))?)
}

/// What every figure is to say of itself.
struct Stamp {
    /// Of figures over all seeds.
    all: String,
    /// Of pictures and lines, which are of the first seed.
    first: String,
}

impl Stamp {
    fn new(findings: &Findings, plan: &[Experiment]) -> Self {
        let seeds = plan.iter().map(|experiment| experiment.seed + 1).max().unwrap_or(1);
        let devices = report::each_once(findings.runs.iter().map(|run| run.experiment.device.as_str()));
        let about = format!("{} epochs, {devices}", findings.extent.epochs);
        let even = plan.iter().all(|e| plan.iter().filter(|other| other.is_alike(e)).count() as u64 == seeds);
        let all = match seeds {
            1 => format!("Seed 0, {about}."),
            _ if even => format!("Mean and standard deviation over seeds 0 to {}, {about}.", seeds - 1),
            _ => {
                format!("AE and IRMAE at its main depth over seeds 0 to {}, all else with seed 0; {about}.", seeds - 1)
            }
        };
        Stamp { all, first: format!("Seed 0, {about}.") }
    }
}

fn lead(findings: &Findings, yardstick: &Yardstick<'_>, stamp: &Stamp) -> String {
    let (extent, dataset) = (&findings.extent, yardstick.dataset);
    let network = if extent.narrowed > 1 {
        format!("This is a quick look: the paper's network with its channels divided by {}", extent.narrowed)
    } else {
        "The paper's network".into()
    };
    let (optimizer, batch_size) = (title_of(extent.optimizer), extent.batch_size);
    let steps = if extent.optimizer == OptimizerKind::Adam {
        format!("{optimizer} in batches of {batch_size} as in the paper, for fewer epochs")
    } else {
        format!("{optimizer} in batches of {batch_size} instead of the paper's Adam, and fewer steps")
    };
    let network = format!("{network}, a code of {} values, {steps}.", extent.latent);
    format!(
        "{network} {} training and {} test images. {} The encoders and decoders of all methods are the same, as are the steps; {} at {:e} unless \
         a row says otherwise.",
        dataset.train.len(),
        dataset.test.len(),
        stamp.all,
        optimizer,
        extent.learning_rate
    )
}

fn failures(page: &mut Page, groups: &[Group<'_>]) {
    let lines: Vec<String> = groups
        .iter()
        .flat_map(|group| group.failed.iter().map(move |why| format!("{}: {why}", group.experiment.title())))
        .collect();
    if !lines.is_empty() {
        page.section("What did not end").list(&lines);
    }
}

fn spectra(page: &mut Page, findings: &Findings, groups: &[Group<'_>], stamp: &Stamp) {
    page.section("Spectra").paragraph(
        "Singular values of the covariance of the codes behind the linear stack, over the training images, each relative to its largest. \
         They are variances: the root of one is a deviation.",
    );
    let plot = |title: &str, wanted: &dyn Fn(&Experiment) -> bool| {
        let mut plot =
            LinePlot::new(title, Axis::linear("index of the singular value"), Axis::log("share of the largest"));
        for group in groups.iter().filter(|group| wanted(group.experiment)) {
            if let Some(outcome) = group.outcomes.first() {
                let largest = outcome.singular_values.first().copied().unwrap_or(1.0).max(f32::MIN_POSITIVE);
                let share = |value: f32| f64::from((value / largest).max(FLOOR));
                let points =
                    (1..).zip(&outcome.singular_values).map(|(index, &value)| (f64::from(index), share(value)));
                plot.lines.push(Line::new(group.experiment.title(), points));
            }
        }
        plot.marks = findings.dimension.map(|n| (n as f64, format!("true dimension {n}"))).into_iter().collect();
        plot.note.clone_from(&stamp.first);
        plot
    };
    let main = groups.iter().map(|group| group.experiment).find(|e| e.method == Method::Irmae && !e.is_ablation());
    let mut plots = vec![plot("The methods", &|experiment| !experiment.is_ablation())];
    if groups.iter().any(|group| group.experiment.is_ablation()) {
        plots.push(plot("Ablations of IRMAE", &|experiment| {
            experiment.is_ablation() || main.is_some_and(|main| main.is_alike(experiment))
        }));
    }
    plots.retain(|plot| !plot.lines.is_empty());
    page.plots(&plots);
}

fn ranks(page: &mut Page, findings: &Findings, groups: &[Group<'_>], stamp: &Stamp) {
    let dimension = findings.dimension.map_or_else(String::new, |n| format!(" The data has {n} degrees of freedom."));
    page.section("Rank by each rule").paragraph(&format!(
        "Gap: before the largest ratio of neighbours. Energy: the fewest directions with {} % of the variance. Effective: the exponential of \
         the entropy of the shares of variance. Stable: all variance over the largest. 1 %: the fewest coefficients that \
         reconstruct within 1 % of the whole code. Auto puts them together.{dimension}",
        100.0 * DEFAULT_ENERGY
    ));
    let columns = ["method", "auto", "gap", "factor", "energy", "effective", "stable", "1 %", "PSNR, dB", "seconds"];
    let mut table = Table::new(&format!("Rank of codes of {} values. {}", findings.extent.latent, stamp.all), columns);
    for group in groups {
        table.row([
            group.experiment.title(),
            group.each(|outcome| outcome.ranks.auto),
            group.each(|outcome| outcome.ranks.ranks.gap),
            group.figure(1, |outcome| Some(outcome.ranks.ranks.gap_ratio)),
            group.each(|outcome| outcome.ranks.ranks.energy),
            group.figure(1, |outcome| Some(outcome.ranks.ranks.effective)),
            group.figure(1, |outcome| Some(outcome.ranks.ranks.stable)),
            group.each(|outcome| outcome.ranks.distortion),
            group.figure(2, |outcome| Some(outcome.psnr_db)),
            group.figure(0, |outcome| Some(outcome.seconds)),
        ]);
    }
    page.table(&table);
    let mut table =
        Table::new(&format!("Why the automatic rank is what it is. {}", stamp.first), ["method", "rank", "because"]);
    for group in groups {
        if let Some(outcome) = group.outcomes.first() {
            let reason = &outcome.ranks.reason;
            table.row([group.experiment.title(), outcome.ranks.auto.to_string(), reason.clone()]);
        }
    }
    page.table(&table);
}

fn quality(page: &mut Page, findings: &Findings, groups: &[Group<'_>], stamp: &Stamp) {
    page.section("Distance from the data (FID)");
    let Some(features) = &findings.features else {
        page.paragraph(
            "Not measured: this data has no labels to train a classifier with. Give --inception with a TorchScript module for features.",
        );
        return;
    };
    page.paragraph(&format!(
        "The distance of Fréchet between {} test images and as many of each kind, by {features}. Figures by other features, such as \
         those of other papers, cannot be compared with these. MVG and GMM: images decoded from a Gaussian, and from a mixture of four, fitted \
         to the training codes.",
        findings.extent.samples
    ));
    let columns = ["method", "reconstructions", "MVG", "GMM"];
    let mut table = Table::new(&format!("Less is better. {}", stamp.all), columns);
    for group in groups {
        let cell = |value: fn(&super::Distances) -> f64| group.figure(2, |outcome| outcome.fid.as_ref().map(value));
        table.row([group.experiment.title(), cell(|fid| fid.reconstruction), cell(|fid| fid.mvg), cell(|fid| fid.gmm)]);
    }
    page.table(&table);
}

fn downstream(page: &mut Page, findings: &Findings, groups: &[Group<'_>], stamp: &Stamp) {
    let Some(twin) = findings.twins.first() else { return };
    let effort = findings.extent.effort;
    page.section("Classification with few labels").paragraph(&format!(
        "Test error in % of a head (two hidden layers with dropout, as the paper's) on frozen codes, after its last epoch: {} epochs, or {} steps where \
         those are fewer. The supervised twin is the encoder with the same head, trained from scratch on the same labels.",
        effort.epochs, effort.steps
    ));
    let counts = twin.iter().map(|point| format!("{} labels", point.labels));
    let columns: Vec<String> = std::iter::once("method".to_string()).chain(counts).collect();
    let mut table = Table::new(&format!("Error in %, less is better. {}", stamp.all), columns);
    for group in groups {
        let cell = |at: usize| group.figure(1, |outcome| outcome.downstream.get(at).map(|point| 100.0 * point.error));
        let cells: Vec<String> = (0..twin.len()).map(cell).collect();
        table.row([vec![group.experiment.title()], cells].concat());
    }
    let error = |at: usize| findings.twins.iter().map(|twin| 100.0 * twin[at].error).collect::<Vec<_>>();
    let cells: Vec<String> = (0..twin.len()).map(|at| mean_and_spread(&error(at), 1)).collect();
    table.row([vec!["supervised twin".to_string()], cells].concat()).mark();
    page.table(&table);
}

/// Reconstructions of every method; for the methods that are no ablations also what their codes make.
fn pictures(
    page: &mut Page,
    groups: &[Group<'_>],
    folder: &Path,
    yardstick: &Yardstick<'_>,
    stamp: &Stamp,
) -> Result<(), ReproduceError> {
    let mut shown: Vec<(&Group<'_>, Run)> = Vec::new();
    for group in groups.iter().filter(|group| !group.outcomes.is_empty()) {
        shown.push((group, Run::load(&folder.join(group.experiment.folder()), yardstick.device())?));
    }
    let rows = |wanted: &dyn Fn(&Experiment) -> bool, row: &dyn Fn(&Group<'_>, &str, &Gallery<'_>) -> Vec<Row>| {
        let of = |(group, run): &(&Group<'_>, Run)| {
            let gallery = Gallery { model: &run.model, train: &yardstick.train, test: &yardstick.test };
            row(group, &group.experiment.title(), &gallery)
        };
        shown.iter().filter(|(group, _)| wanted(group.experiment)).flat_map(of).collect::<Vec<Row>>()
    };
    let is_main = |experiment: &Experiment| !experiment.is_ablation();

    let mut restored = rows(&|_| true, &|group, name, gallery| {
        let about = group.outcomes.first().map_or_else(String::new, |outcome| format!("{:.2} dB", outcome.psnr_db));
        vec![Row { about, ..gallery.reconstructions(name, COLUMNS) }]
    });
    if let Some((_, run)) = shown.first() {
        let gallery = Gallery { model: &run.model, train: &yardstick.train, test: &yardstick.test };
        restored.insert(0, gallery.originals(COLUMNS));
    }
    page.section("Reconstructions").pictures(&stamp.first, &restored);

    page.section("Interpolations").paragraph("Straight lines between the codes of two test images.");
    page.pictures(&stamp.first, &rows(&is_main, &|_, name, gallery| vec![gallery.line(name, 0, COLUMNS)]));

    page.section("Walks along principal axes").paragraph(&format!(
        "From -{REACH} to {REACH} deviations along each of the first {WALKS} axes of the training codes, all else at the mean."
    ));
    for walked in [Method::Ae, Method::Vae, Method::Irmae] {
        for (group, _) in
            shown.iter().filter(|(group, _)| is_main(group.experiment) && group.experiment.method == walked)
        {
            let this = |experiment: &Experiment| experiment.is_alike(group.experiment);
            let walks = rows(&this, &|_, _, gallery| gallery.walks(WALKS, REACH, COLUMNS));
            page.subsection(&group.experiment.title()).pictures(&stamp.first, &walks);
        }
    }

    page.section("Samples").paragraph(&format!(
        "Images decoded from codes drawn from a Gaussian (MVG) and from a mixture of {COMPONENTS} (GMM), fitted to the training codes."
    ));
    for (at, name) in ["MVG", "GMM"].into_iter().enumerate() {
        let samples = rows(&is_main, &|group, name, gallery| {
            let drawn = generate::draw(gallery.model, gallery.train, COMPONENTS, COLUMNS, group.experiment.seed);
            gallery.samples(name, &drawn[at], COLUMNS)
        });
        page.subsection(name).pictures(&stamp.first, &samples);
    }
    Ok(())
}
