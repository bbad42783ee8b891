//! A whole comparison, of tiny networks.

use super::*;
use crate::testing;

fn settings() -> Settings {
    Settings {
        data: DataSpec::new("rectangles"),
        preset: "micro-image".into(),
        decoder: DecoderKind::Mirror,
        latent: None,
        train_epochs: 3,
        tune_epochs: 2,
        tune_learning_rate: 2e-3,
        bytes: vec![6, 3],
        published_linear_layers: 3,
    }
}

fn run(settings: Settings, contenders: &[Contender], seeds: u64, folder: &Path) -> Result<Report, RdError> {
    compare(settings, contenders, seeds, &testing::dataset(), folder, Device::Cpu)
}

#[test]
fn every_contender_has_a_curve_and_what_is_finished_is_not_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let kinds = [Kind::Ours, Kind::Pca, Kind::Ae, Kind::Vae, Kind::Irmae].map(Contender::of);
    let contenders = [&kinds[..], &[Contender::with_width(Kind::Rrae, 4)]].concat();
    let report = run(settings(), &contenders, 1, folder.path()).unwrap();
    let names: Vec<String> = contenders.iter().map(ToString::to_string).collect();
    assert_eq!(report.methods(), names);
    for curve in &report.curves {
        assert_eq!(curve.points.iter().map(|point| point.bytes).collect::<Vec<_>>(), [3, 6], "{}", curve.method);
        let sound = |point: &Point| point.bytes_per_item <= point.bytes as f64 && (5.0..40.0).contains(&point.psnr_db);
        assert!(curve.points.iter().all(sound), "{curve:?}");
        assert!(curve.points[0].psnr_db < curve.points[1].psnr_db + 0.5, "{curve:?}");
    }
    let rank = |name: &str| report.curves.iter().find(|curve| curve.method == name).unwrap().rank;
    assert!(rank("ae") <= rank("ours") && rank("rrae_4") <= 4);
    assert_eq!(report.gains.len(), 2 * (contenders.len() - 1));

    let figures: serde_json::Value = files::read_json(&folder.path().join(FIGURES)).unwrap();
    assert_eq!(figures["curves"][0]["method"], "ours");
    let page = files::read_text(&folder.path().join(PAGE)).unwrap();
    assert!(names.iter().all(|name| page.contains(&format!("{name}: "))), "every method is explained");
    for loss in report.losses() {
        assert!(page.contains(&format!("{} (by {:.2} dB)", loss.over, -loss.gain_db)), "{loss:?}");
    }

    // As if ours had been interrupted: it alone is done again.
    let of = |name: &str| folder.path().join(format!("{name}-0")).join(CURVE);
    let written = |name: &str| std::fs::metadata(of(name)).unwrap().modified().unwrap();
    let before = [written("ours"), written("vae")];
    std::fs::remove_file(of("ours")).unwrap();
    let again = run(settings(), &contenders, 1, folder.path()).unwrap();
    assert!(written("ours") > before[0] && written("vae") == before[1]);
    assert_eq!(again.methods(), names);
}

#[test]
fn other_settings_are_refused_and_seeds_are_added() {
    let folder = tempfile::tempdir().unwrap();
    let few = [Contender::OURS, Contender::of(Kind::Pca), Contender::with_width(Kind::Ae, 4)];
    run(settings(), &few, 1, folder.path()).unwrap();
    let other = Settings { tune_epochs: 1, ..settings() };
    let line = run(other, &few, 1, folder.path()).unwrap_err().to_string();
    assert!(line.ends_with("holds a comparison with other settings; choose another --out, or remove it"), "{line}");
    let report = run(settings(), &few, 2, folder.path()).unwrap();
    let seeds = |name: &str| report.curves.iter().filter(|c| c.method == name).map(|c| c.seed).collect::<Vec<_>>();
    assert_eq!((seeds("ours"), seeds("ae_4"), seeds("pca")), (vec![0, 1], vec![0, 1], vec![0]));
    assert!(report.psnr("ae_4", 6).unwrap().range_db > 0.0);
    assert!(run(settings(), &few[1..], 1, folder.path()).unwrap_err().to_string().contains("ours among --methods"));
}
