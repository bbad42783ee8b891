//! `irmae gateway`: packets in by any link, windows out.
//!
//! Sources have threads, which put [`Event`]s into a queue. One thread takes them, decodes, and writes: all that a
//! [`Gateway`] remembers is in one place. More gateways, not more threads, are for a fleet that is too large for one.

mod bank;
mod core;
mod intake;
mod live;
mod mqtt;
mod node;
mod output;
mod report;
mod sink;
mod source;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ArgGroup;
use irmae_infer::format::AlignedBytes;

use self::bank::{Bank, ModelArg};
use self::core::Gateway;
use self::intake::{Event, QUEUE_LEN};
use self::live::Live;
use self::mqtt::{Address, Leaving, Subscriber, Subscription};
use self::output::Outputs;
use self::report::Report;
use self::source::Sources;
use crate::link::{Framing, Profile};

/// How long to wait for packets before looking at other things.
const TICK: Duration = Duration::from_millis(100);

/// Receive packets of many nodes and write out their windows.
#[derive(clap::Args)]
#[command(
    group(ArgGroup::new("source").required(true).multiple(true)),
    after_help = "Examples:\n  irmae gateway --model decoder.irmae --serial /dev/ttyUSB0 --npy windows --live\n  \
                  irmae gateway --model decoder.irmae --mqtt mqtt://broker/fleet/+/up --group watch --publish windows"
)]
pub(crate) struct Args {
    /// A decoder's model file; several of them serve nodes of several models. NODE=FILE is for one node alone
    #[arg(long, required = true, value_name = "[NODE=]FILE", value_parser = ModelArg::parse)]
    model: Vec<ModelArg>,
    #[command(flatten)]
    sources: Sources,
    /// Subscribe at a broker of MQTT 5: mqtt://USER:PASSWORD@HOST:PORT/TOPIC-FILTER, where user and port may be left out. A node is
    /// what the wildcards stand for; payloads are packets, or uplinks of ChirpStack 4 or The Things Stack 3 as JSON, which name
    /// their device
    #[arg(long, value_name = "URL", group = "source")]
    mqtt: Vec<Address>,
    /// Share the subscription with all gateways of this name
    #[arg(long, value_name = "NAME", requires = "mqtt")]
    group: Option<String>,
    /// Name of this gateway at the broker, which keeps for it, without --group, what comes while it is away [default: a new one]
    #[arg(long, value_name = "NAME", requires = "mqtt")]
    client_id: Option<String>,
    /// Port of the LoRaWAN uplinks that hold packets [default: any]
    #[arg(long, value_name = "PORT")]
    f_port: Option<u8>,
    /// What a packet brings besides its payload
    #[arg(long, value_enum, default_value_t = Profile::Full)]
    profile: Profile,
    /// How packets are told apart in a stream; messages of UDP and MQTT are one packet each
    #[arg(long, value_enum, default_value_t = Framing::Cobs)]
    framing: Framing,
    #[command(flatten)]
    outputs: Outputs,
    /// Show nodes, links and signals on the terminal
    #[arg(long)]
    live: bool,
    /// Print one JSON object at the end
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub(crate) fn run(args: &Args) -> Result<()> {
    args.check()?;
    let files = bank::read(&args.model)?;
    let models = bank::load(&args.model, &files)?;
    let mut buffers: Vec<_> = models.iter().map(|model| AlignedBytes::zeroed(model.buffer_len())).collect();
    let bank = Bank::new(&args.model, &models, &mut buffers)?;

    let stop = stop_flag()?;
    let (intake, events) = sync_channel(QUEUE_LEN);
    args.sources.start(args.framing, args.f_port, &intake)?;
    let mut sinks = args.outputs.connect(args.mqtt.first())?;
    let mut subscribers = args.subscribe(&intake)?;
    drop(intake);
    // Last, so that nothing is made where something else is wrong.
    sinks.extend(args.outputs.create(&models)?);
    let mut live = args.live.then(Live::start).transpose()?;
    sinks.extend(live.as_ref().map(Live::sink));
    let mut gateway = Gateway::new(bank, args.profile.into(), sinks, args.group.is_some());

    let mut report = Report::new();
    let outcome = serve(&mut gateway, &events, &mut subscribers, live.as_mut(), &stop, &mut report);
    // Whatever happened, what was received is written out; only what failed is not waited for.
    let outcome = match outcome {
        Ok(()) => gateway.finish(),
        Err(error) => {
            // The first failure is the one to tell.
            let _ = gateway.settle();
            Err(error)
        }
    };
    drop(live);
    outcome?;
    report.print(&gateway, args.json);
    Ok(())
}

/// Takes events until all sources have ended, or the user wants to stop.
fn serve(
    gateway: &mut Gateway<'_>,
    events: &Receiver<Event>,
    subscribers: &mut Vec<Subscriber>,
    mut live: Option<&mut Live>,
    stop: &AtomicBool,
    report: &mut Report,
) -> Result<()> {
    let mut leaving: Option<Vec<Leaving>> = None;
    loop {
        let mut next = match events.recv_timeout(TICK) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let start = Instant::now();
        while let Some(event) = next {
            gateway.take(event)?;
            next = if gateway.is_full() { None } else { events.try_recv().ok() };
        }
        gateway.settle()?;
        report.busy += start.elapsed();
        let is_quit = live.as_mut().map_or(Ok(false), |live| live.show(gateway))?;
        if leaving.is_none() && (is_quit || stop.load(Ordering::Relaxed)) {
            leaving = Some(subscribers.drain(..).map(Subscriber::stop).collect::<Result<_>>()?);
        }
        if leaving.as_ref().is_some_and(|leaving| leaving.iter().all(Leaving::is_done)) {
            // What has come so far; other sources may never end.
            return events.try_iter().take(QUEUE_LEN).try_for_each(|event| gateway.take(event));
        }
    }
}

impl Args {
    fn check(&self) -> Result<()> {
        if self.profile == Profile::Bare {
            bank::check_bare(&self.model)?;
        }
        self.outputs.check(self.model.len())?;
        let on_stdout = self.outputs.on_stdout() + usize::from(self.json) + usize::from(self.live);
        if on_stdout > 1 {
            bail!("--json, --live, and - for --csv or --jsonl want standard output, which only one can have");
        }
        if let Some(address) = self.mqtt.iter().find(|address| !address.is_filter()) {
            bail!(
                "--mqtt: {} is no topic filter: # may only be its last level, and + must be a whole one",
                address.topic
            );
        }
        if self.client_id.is_some() && self.mqtt.len() > 1 {
            bail!("--client-id: a broker has one session of that name, and --mqtt asks for several");
        }
        if self.group.as_ref().is_some_and(|group| group.is_empty() || group.contains(['/', '+', '#'])) {
            bail!("--group: a name must not be empty or have /, + or #");
        }
        Ok(())
    }

    fn subscribe(&self, intake: &intake::Intake) -> Result<Vec<Subscriber>> {
        let subscription = |address: &Address| Subscription {
            address: address.clone(),
            group: self.group.clone(),
            client_id: self.client_id.clone(),
            f_port: self.f_port,
        };
        self.mqtt.iter().map(|address| Subscriber::start(subscription(address), intake.clone())).collect()
    }
}

/// Set by the first Ctrl-C or SIGTERM; at the second, the program ends at once.
fn stop_flag() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let shared = flag.clone();
    let handler = move || {
        if shared.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    ctrlc::set_handler(handler).context("cannot watch for Ctrl-C")?;
    Ok(flag)
}
