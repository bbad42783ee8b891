//! `irmae` as a user meets it, on the golden models.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ndarray::Array3;
use serde_json::Value;
use tempfile::TempDir;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name)
}

fn irmae(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_irmae")).args(arguments).output().expect("irmae starts")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn json(arguments: &[&str]) -> Value {
    let output = irmae(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn error(arguments: &[&str]) -> String {
    let output = irmae(arguments);
    assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?} should fail");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(text.starts_with("error: ") && text.trim_end().lines().count() == 1, "{text}");
    text
}

/// An array file of the golden windows of `case`, which has shape (N, 12, 13).
fn images(folder: &TempDir, case: &str) -> PathBuf {
    let path = folder.path().join("input.npy");
    let pixels = std::fs::read(golden(case).join("input.bin")).expect("a golden file");
    let images = Array3::from_shape_vec((pixels.len() / 156, 12, 13), pixels).expect("whole images");
    ndarray_npy::write_npy(&path, &images).expect("an array");
    path
}

#[test]
fn packets_and_images_are_the_golden_ones() {
    let folder = TempDir::new().unwrap();
    for case in ["image-f32", "image-f16", "image-i8"] {
        let (input, packets, output) =
            (images(&folder, case), folder.path().join("x.irp"), folder.path().join("out.npy"));
        let [encoder, decoder] = ["encoder.irmae", "decoder.irmae"].map(|name| golden(case).join(name));
        let report = json(&["encode", "--model", text(&encoder), "--input", text(&input), "--output", text(&packets)]);
        let expected = std::fs::read(golden(case).join("packets.irp")).unwrap();
        assert_eq!(std::fs::read(&packets).unwrap(), expected, "{case}");
        assert_eq!(report["bytes"], expected.len());
        json(&["decode", "--model", text(&decoder), "--input", text(&packets), "--output", text(&output)]);
        let restored: Array3<u8> = ndarray_npy::read_npy(&output).unwrap();
        assert_eq!(restored.into_raw_vec_and_offset().0, std::fs::read(golden(case).join("output.bin")).unwrap());
    }
}

#[test]
fn shorter_packets_are_decoded_too() {
    let folder = TempDir::new().unwrap();
    let (input, packets, output) =
        (images(&folder, "image-i8"), folder.path().join("x.irp"), folder.path().join("out.npy"));
    let [encoder, decoder] = ["encoder.irmae", "decoder.irmae"].map(|name| golden("image-i8").join(name));
    let mut errors = Vec::new();
    for bytes in ["2", "3", "4", "100"] {
        let encode = ["encode", "--model", text(&encoder), "--input", text(&input), "--output", text(&packets)];
        let report = json(&[&encode[..], &["--bytes", bytes]].concat());
        assert!(report["bytes_per_item"].as_f64().unwrap() <= bytes.parse().unwrap());
        json(&["decode", "--model", text(&decoder), "--input", text(&packets), "--output", text(&output)]);
        let (original, restored): (Array3<u8>, Array3<u8>) =
            (ndarray_npy::read_npy(&input).unwrap(), ndarray_npy::read_npy(&output).unwrap());
        let square = |(&a, &b): (&u8, &u8)| (f64::from(a) - f64::from(b)).powi(2);
        errors.push(original.iter().zip(&restored).map(square).sum::<f64>());
    }
    assert!(errors[0] > errors[3], "more bytes, less error: {errors:?}");
}

/// The golden packets of `image-i8` as `encode` writes them with `options`, and what `decode` gives for bytes with the same options.
struct Link<'a> {
    folder: TempDir,
    options: &'a [&'a str],
    sent: Vec<u8>,
}

impl<'a> Link<'a> {
    fn new(options: &'a [&'a str], bytes: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let (input, packets) = (images(&folder, "image-i8"), folder.path().join("x.irp"));
        let encoder = golden("image-i8").join("encoder.irmae");
        let encode = ["encode", "--model", text(&encoder), "--input", text(&input), "--output", text(&packets)];
        json(&[&encode[..], options, bytes].concat());
        Self { sent: std::fs::read(&packets).unwrap(), folder, options }
    }

    fn call<T>(&self, received: &[u8], options: &[&str], call: impl Fn(&[&str]) -> T) -> T {
        let (packets, output) = (self.folder.path().join("y.irp"), self.folder.path().join("y.npy"));
        std::fs::write(&packets, received).unwrap();
        let decoder = golden("image-i8").join("decoder.irmae");
        let decode = ["decode", "--model", text(&decoder), "--input", text(&packets), "--output", text(&output)];
        call(&[&decode[..], options].concat())
    }

    /// Decoded windows, lost, replayed, out of order, damaged.
    fn tally(&self, received: &[u8]) -> [u64; 5] {
        let report = self.call(received, self.options, json);
        ["items", "lost", "replayed", "out_of_order", "damaged"].map(|key| report[key].as_u64().unwrap())
    }
}

#[test]
fn full_packets_and_frames_say_what_became_of_them() {
    let framed = &["--profile", "full", "--framing", "cobs"];
    for (options, bytes) in [(&["--profile", "full"][..], &[][..]), (framed, &[]), (framed, &["--bytes", "8"])] {
        let link = Link::new(options, bytes);
        let len = link.sent.len() / 4;
        let packets: Vec<&[u8]> = link.sent.chunks(len).collect();
        let [a, b, c, d] = packets[..] else { panic!("four packets of one length") };
        assert_eq!(link.tally(&link.sent), [4, 0, 0, 0, 0]);
        assert_eq!(link.tally(&[a, c, b, d, d].concat()), [4, 0, 1, 1, 0]);
        assert_eq!(link.tally(&[a, d].concat()), [2, 2, 0, 0, 0]);
        // Noise, and a packet that was cut short.
        assert_eq!(link.tally(&[a, &[9, 9, 0], c, &d[..len - 2]].concat()), [2, 1, 0, 0, 2]);
        let shown = link.call(&[a, d].concat(), options, |arguments| irmae(arguments).stderr);
        assert!(String::from_utf8(shown).unwrap().starts_with("warning: packets: 2 lost, 0 replayed"));
    }
}

#[test]
fn each_link_gives_the_golden_windows_and_refuses_the_others_files() {
    let kinds = [&[][..], &["--framing", "cobs"], &["--profile", "full"], &["--profile", "full", "--framing", "cobs"]];
    for options in kinds {
        let link = Link::new(options, &[]);
        link.call(&link.sent, options, json);
        let restored: Array3<u8> = ndarray_npy::read_npy(link.folder.path().join("y.npy")).unwrap();
        assert_eq!(restored.into_raw_vec_and_offset().0, std::fs::read(golden("image-i8").join("output.bin")).unwrap());
        for other in kinds.into_iter().filter(|&other| other != options) {
            // Its packets are found within frames, but for those with zeros; and most bytes could be bare packets.
            if other.is_empty() || options.len() == 4 && other == ["--profile", "full"] {
                continue;
            }
            let line = link.call(&link.sent, other, error);
            assert!(line.contains("packet") || line.contains("frame"), "{options:?} as {other:?}: {line}");
        }
    }
}

#[test]
fn inspect_says_what_a_file_holds() {
    let report = json(&["inspect", text(&golden("image-i8").join("encoder.irmae"))]);
    assert_eq!((report["kind"].as_str(), report["precision"].as_str()), (Some("encoder"), Some("i8")));
    assert_eq!(report["frame"], serde_json::json!([12, 13, 1]));
    let output = irmae(&["inspect", text(&golden("signal-f16").join("decoder.irmae"))]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("conv_transpose k4x1 s2x1 p1x0") && shown.contains("f16 decoder"), "{shown}");
}

#[test]
fn what_is_wrong_is_said_in_one_line_and_nothing_is_written() {
    let folder = TempDir::new().unwrap();
    let (input, output) = (images(&folder, "image-i8"), folder.path().join("out"));
    let [encoder, decoder] = ["encoder.irmae", "decoder.irmae"].map(|name| golden("image-i8").join(name));
    let call = |verb: &str, model: &Path, input: &Path| {
        error(&[verb, "--model", text(model), "--input", text(input), "--output", text(&output)])
    };
    assert!(call("encode", &decoder, &input).contains("this model file is a decoder, an encoder is needed"));
    assert!(call("encode", &folder.path().join("none"), &input).contains("cannot read"));
    assert!(call("encode", &input, &input).contains("not an IRMAE model file"));
    assert!(call("encode", &golden("signal-i8").join("encoder.irmae"), &input).contains("the model takes (N, 3, 32)"));

    let other = folder.path().join("i16.npy");
    ndarray_npy::write_npy(&other, &Array3::<i16>::zeros((1, 12, 13))).unwrap();
    assert!(call("encode", &encoder, &other).contains("astype"));

    let packets = folder.path().join("x.irp");
    let golden_packets = std::fs::read(golden("image-i8").join("packets.irp")).unwrap();
    std::fs::write(&packets, &golden_packets[..golden_packets.len() - 1]).unwrap();
    let line = call("decode", &decoder, &packets);
    assert!(line.contains("packet 3 (from 0) at byte ") && line.contains("packet is truncated"), "{line}");
    std::fs::write(&packets, [200; 300]).unwrap();
    assert!(call("decode", &decoder, &packets).contains("packet is damaged or of another model"));
    assert!(!output.exists());
}

#[test]
fn every_verb_has_help_with_an_example() {
    for verb in ["inspect", "encode", "decode", "gateway"] {
        let help = String::from_utf8(irmae(&[verb, "--help"]).stdout).unwrap();
        assert!(help.contains("Example"), "{verb}");
    }
}
