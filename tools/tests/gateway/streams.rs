//! Files, standard input, and connections: frames, and what lies between them.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use irmae_infer::Profile;
use ndarray::Array3;
use serialport::{SerialPort, TTYPort};
use tempfile::TempDir;

use crate::support::{Case, Gateway, Record, Sent, counts, framed, wait_for};

const COUNTS: [&str; 6] = ["windows", "lost", "replayed", "out_of_order", "damaged", "foreign"];

fn frames(sent: &[Sent]) -> Vec<u8> {
    sent.iter().flat_map(|sent| framed(&sent.packet)).collect()
}

/// Damaged and foreign bytes around sound frames.
fn bad_stream(sent: &[Sent], other: &[Sent]) -> Vec<u8> {
    let mut flipped = sent[3].packet.clone();
    flipped[5] ^= 0x10;
    let cut = framed(&sent[4].packet[..6]);
    let garbage = [9, 200, 7];
    [
        &garbage[..],
        &[0],
        &frames(&sent[..3]),
        &framed(&flipped),
        &cut,
        &frames(&other[..1]),
        &[1; 600],
        &[0],
        &frames(&sent[5..]),
        &frames(&sent[sent.len() - 1..]),
    ]
    .concat()
}

/// The records must be those of the windows that came whole from [`bad_stream`].
fn check_bad_stream(sent: &[Sent], records: &[Record]) {
    let sound = sent[..3].iter().chain(&sent[5..]);
    assert_eq!(records.len(), sent.len() - 2);
    for (record, sent) in records.iter().zip(sound) {
        assert_eq!((record.sequence, &record.window), (Some(sent.sequence.into()), &sent.window));
    }
    let arrivals: Vec<_> = records.iter().map(|record| (record.arrival.as_str(), record.lost)).collect();
    assert_eq!(arrivals[..3], [("in_order", 0); 3]);
    assert_eq!(arrivals[3], ("after_loss", 2));
    assert!(arrivals[4..].iter().all(|&arrival| arrival == ("in_order", 0)));
}

#[test]
fn a_file_with_damage_gives_all_that_is_sound() {
    for name in ["signal-i8", "motion-f32", "image-i8"] {
        let (case, folder) = (Case::named(name), TempDir::new().unwrap());
        let (sent, other) = (case.send(Profile::Full, 1, 300), Case::named("adc-i8").send(Profile::Full, 1, 1));
        let (input, output) = (folder.path().join("x.bin"), folder.path().join("y.jsonl"));
        fs::write(&input, bad_stream(&sent, &other)).unwrap();
        let (decoder, [input, output_text]) =
            (case.decoder_path(), [&input, &output].map(|path| path.to_str().unwrap()));
        let gateway = Gateway::start(&["--model", &decoder, "--file", input, "--jsonl", output_text, "--json"]);
        // Damaged: what comes before the first frame, a flipped bit, a packet cut short, and a frame that is too long.
        assert_eq!(counts(&gateway.end(), COUNTS), [298, 2, 1, 0, 4, 1], "{name}");
        check_bad_stream(&sent, &Record::read(&output));
    }
}

#[test]
fn standard_input_goes_to_a_table() {
    let case = Case::named("signal-i8");
    let sent = case.send(Profile::Full, 2, 5);
    let mut gateway = Gateway::start(&["--model", &case.decoder_path(), "--file", "-", "--csv", "-"]);
    let mut input = gateway.child.stdin.take().unwrap();
    input.write_all(&frames(&sent)).unwrap();
    drop(input);
    let text = std::io::read_to_string(gateway.child.stdout.take().unwrap()).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0][..9], ["time", "node", "model", "sequence", "arrival", "lost", "bytes", "v0", "v1"]);
    for (row, sent) in rows[1..].iter().zip(&sent) {
        assert_eq!(row[1..2], ["stdin"]);
        assert_eq!(row[3], sent.sequence.to_string());
        assert!(row[7..].iter().map(|value| value.parse::<f32>().unwrap()).eq(sent.window.iter().copied()));
    }
    assert_eq!(rows.len(), 6);
}

#[test]
fn without_frames_packets_are_found_by_their_crc_or_follow_each_other() {
    let (case, folder) = (Case::named("signal-i8"), TempDir::new().unwrap());
    for (profile, name, noise, expected) in [
        (Profile::Full, "full", &[0x11, 5, 7][..], [20, 0, 0, 0, 20, 0]),
        (Profile::Bare, "bare", &[], [20, 0, 0, 0, 0, 0]),
    ] {
        let sent = case.send(profile, 3, 20);
        let [input, output] = ["bin", "npy"].map(|end| folder.path().join(format!("{name}.{end}")));
        let counted = |packet: &[u8]| [noise, &[packet.len() as u8], packet].concat();
        let bytes: Vec<u8> = sent.iter().flat_map(|sent| counted(&sent.packet)).collect();
        fs::write(&input, bytes).unwrap();
        let (decoder, [input, output_text]) =
            (case.decoder_path(), [&input, &output].map(|path| path.to_str().unwrap()));
        let files = ["--model", &decoder, "--file", input, "--npy", output_text, "--json"];
        let report = Gateway::start(&[&files[..], &["--profile", name, "--framing", "none"]].concat()).end();
        let mut counts = counts(&report, COUNTS);
        if profile == Profile::Full {
            // What looks like the start of another model's packet is counted as one.
            counts = [counts[0], counts[1], counts[2], counts[3], counts[4] + counts[5], 0];
        }
        assert_eq!(counts, expected, "{name}");
        let array: Array3<i16> = ndarray_npy::read_npy(&output).unwrap();
        assert!(array.iter().map(|&value| f32::from(value)).eq(sent.iter().flat_map(|sent| sent.window.clone())));
    }
}

#[test]
fn the_encode_verb_and_the_gateway_agree() {
    let (case, folder) = (Case::named("signal-i8"), TempDir::new().unwrap());
    let [array, packets, windows, direct] = ["x.npy", "x.bin", "y.npy", "z.npy"].map(|name| folder.path().join(name));
    let value = |(i, c, t): (usize, usize, usize)| (100.0 * ((i * 7 + c * 3 + t) as f64 * 0.2).sin()) as i16;
    ndarray_npy::write_npy(&array, &Array3::from_shape_fn((40, 3, 32), value)).unwrap();
    let irmae = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_irmae")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let [array, packets_text, windows_text, direct_text] =
        [&array, &packets, &windows, &direct].map(|path| path.to_str().unwrap());
    let link = ["--profile", "full", "--framing", "cobs"];
    let (encoder, decoder) = (case.encoder_path(), case.decoder_path());
    irmae(&[&["encode", "--model", &encoder, "--input", array, "--output", packets_text], &link[..]].concat());
    irmae(&[&["decode", "--model", &decoder, "--input", packets_text, "--output", direct_text], &link[..]].concat());
    irmae(&["gateway", "--model", &decoder, "--file", packets_text, "--npy", windows_text]);
    let [windows, direct]: [Array3<i16>; 2] = [windows, direct].map(|path| ndarray_npy::read_npy(path).unwrap());
    assert!(windows == direct, "the same array");
}

#[test]
fn a_node_that_is_connected_to_may_send_garbage() {
    let (case, folder) = (Case::named("signal-f32"), TempDir::new().unwrap());
    let (sent, other) = (case.send(Profile::Full, 4, 50), Case::named("adc-i8").send(Profile::Full, 1, 1));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, output) = (listener.local_addr().unwrap().to_string(), folder.path().join("y.jsonl"));
    let files = ["--model", &case.decoder_path(), "--jsonl", output.to_str().unwrap(), "--json"];
    let gateway = Gateway::start(&[&files[..], &["--tcp", &address]].concat());
    let (mut stream, _) = listener.accept().unwrap();
    // In pieces that no frame keeps to.
    bad_stream(&sent, &other).chunks(7).for_each(|piece| stream.write_all(piece).unwrap());
    drop(stream);
    assert_eq!(counts(&gateway.end(), COUNTS), [48, 2, 1, 0, 4, 1]);
    check_bad_stream(&sent, &Record::read(&output));
}

#[test]
fn arrays_of_connected_nodes_are_whole_at_any_time() {
    let (case, folder) = (Case::named("signal-i8"), TempDir::new().unwrap());
    let output = folder.path().join("windows");
    let files = ["--model", &case.decoder_path(), "--npy", output.to_str().unwrap(), "--json"];
    let gateway = Gateway::start(&[&files[..], &["--listen", "127.0.0.1:0"]].concat());
    let address = gateway.says("listening on ");
    let mut nodes: Vec<_> =
        (0..3).map(|seed| (TcpStream::connect(&address).unwrap(), case.send(Profile::Full, seed, 30))).collect();
    let array = |stream: &TcpStream, count: usize| {
        let path = output.join(format!("{}.npy", stream.local_addr().unwrap()));
        wait_for("windows", || {
            let array: Array3<i16> = ndarray_npy::read_npy(&path).ok()?;
            (array.shape()[0] == count).then(|| array.into_iter().map(f32::from).collect::<Vec<f32>>())
        })
    };
    for (stream, sent) in &mut nodes {
        stream.write_all(&frames(&sent[..20])).unwrap();
    }
    for (stream, _) in &nodes {
        array(stream, 20);
    }
    for (stream, sent) in &mut nodes {
        stream.write_all(&frames(&sent[20..])).unwrap();
    }
    for (stream, sent) in &nodes {
        assert!(array(stream, 30).into_iter().eq(sent.iter().flat_map(|sent| sent.window.clone())));
    }
    assert_eq!(counts(&gateway.stop(), ["nodes", "windows", "damaged"]), [3, 90, 0]);
    for (stream, _) in &nodes {
        array(stream, 30);
    }
}

#[test]
fn a_serial_line_is_read() {
    let (case, folder) = (Case::named("signal-i8"), TempDir::new().unwrap());
    let (mut node, mut line) = TTYPort::pair().unwrap();
    line.set_exclusive(false).unwrap();
    let path = line.name().unwrap();
    // As a cable that stays in, but not as one of two who read it.
    let cable = fs::File::open(&path).unwrap();
    drop(line);
    let output = folder.path().join("y.jsonl");
    let files = ["--model", &case.decoder_path(), "--jsonl", output.to_str().unwrap(), "--json"];
    let sent = case.send(Profile::Full, 5, 10);
    let gateway = Gateway::start(&[&files[..], &["--serial", &format!("{path}:115200")]].concat());
    gateway.says("reading ");
    node.write_all(&frames(&sent)).unwrap();
    drop(cable);
    wait_for("windows", || (Record::read(&output).len() == 10).then_some(()));
    assert_eq!(counts(&gateway.stop(), COUNTS), [10, 0, 0, 0, 0, 0]);
    let windows: Vec<_> = Record::read(&output).into_iter().map(|record| record.window).collect();
    assert!(windows.iter().eq(sent.iter().map(|sent| &sent.window)));
}

#[test]
fn several_models_are_told_apart() {
    let (folder, names) = (TempDir::new().unwrap(), ["signal-i8", "image-i8", "motion-i8"]);
    let cases = names.map(Case::named);
    let sent = cases.each_ref().map(|case| case.send(Profile::Full, 6, 10));
    let input = folder.path().join("x.bin");
    // One of each in turn, from one node.
    let mixed: Vec<u8> = (0..10).flat_map(|i| sent.each_ref().map(|sent| frames(&sent[i..=i])).concat()).collect();
    fs::write(&input, mixed).unwrap();
    let output = folder.path().join("y.jsonl");
    let [decoder, other] = [&cases[0], &cases[1]].map(Case::decoder_path);
    let files = ["--file", input.to_str().unwrap(), "--jsonl", output.to_str().unwrap(), "--json"];
    let report = Gateway::start(&[&files[..], &["--model", &decoder, "--model", &other]].concat()).end();
    assert_eq!(counts(&report, COUNTS), [20, 0, 0, 0, 0, 10]);
    let records = Record::read(&output);
    for (i, sent) in sent[..2].iter().enumerate() {
        let windows: Vec<_> = records.iter().skip(i).step_by(2).map(|record| record.window.clone()).collect();
        assert!(windows.iter().eq(sent.iter().map(|sent| &sent.window)));
    }
    assert_ne!(records[0].model, records[1].model);
}
