//! Plays scenes against several servers in turn, A B C A B C, each started afresh, and sums up what they cost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use clap::{Args, CommandFactory as _};

use crate::interrupt::Interrupt;
use crate::peer::{self, Peer, Ports};
use crate::report::say;
use crate::result::Run;
use crate::summary::{Played, Summary};

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// A server: one that bench/peers/variants names, or NAME='SCRIPT OPTIONS'; again for each further one
    #[arg(long = "peer", value_name = "PEER", default_values = ["floor", "wattle-live", "prosody", "ejabberd"])]
    peers: Vec<String>,
    /// A scene with its options, as 'chat --rate 100'; again for each further one
    #[arg(long = "scene", value_name = "SCENE", default_values = ["chat", "chat --rate 100"])]
    scenes: Vec<String>,
    /// How often each server plays each scene
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// The peer that ratios are to; the first, if not said
    #[arg(long, value_name = "NAME")]
    base: Option<String>,
    /// A new folder for the results: a JSON file for each run, and summary.txt
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where the servers keep their stores while they run; a folder in --out, if not said
    #[arg(long, value_name = "DIR")]
    stores: Option<PathBuf>,
    /// Where the peers' scripts are
    #[arg(long, value_name = "DIR", default_value = "bench/peers")]
    scripts: PathBuf,
    /// Servers listen from this port on, on loopback
    #[arg(long, default_value_t = 15_222)]
    port: u16,
}

/// A scene as it was asked for, with what `versus` has to know of it.
struct Scene {
    words: Vec<String>,
    accounts: usize,
}

/// What a session of many runs needs.
struct Session<'o> {
    options: &'o Options,
    stores: PathBuf,
    ports: Ports,
    interrupt: Interrupt,
}

const TICK: Duration = Duration::from_millis(50);

/// Plays all of it. Exit code 1, if a scene was not valid.
pub(crate) fn play(options: &Options) -> Result<u8, String> {
    let variants = Peer::variants(&options.scripts.join("variants"))?;
    let peers: Vec<Peer> = options.peers.iter().map(|text| Peer::parse(text, &variants)).collect::<Result<_, _>>()?;
    let names: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
    if let Some(twice) = names.iter().enumerate().find(|(n, name)| names[..*n].contains(name)) {
        return Err(format!("--peer {} is there twice: write another name, as {}-2='…'", twice.1, twice.1));
    }
    let base = options.base.as_deref().unwrap_or(names[0]);
    let Some(base) = names.iter().position(|name| *name == base) else {
        return Err(format!("--base {base} is no peer of this run: write one of {}", names.join(", ")));
    };
    let scenes: Vec<Scene> = options.scenes.iter().map(|text| Scene::parse(text)).collect::<Result<_, _>>()?;
    let ports = Ports::new(options.port)?;
    fs::create_dir(&options.out).map_err(|e| format!("--out {}: {e}: write a new folder", options.out.display()))?;
    let out = options.out.canonicalize().map_err(|e| e.to_string())?;
    let stores = options.stores.clone().unwrap_or_else(|| out.join("stores"));
    if stores.exists() {
        return Err(format!("--stores {} is there: write a new folder", stores.display()));
    }
    fs::create_dir(&stores).map_err(|e| format!("--stores {}: {e}", stores.display()))?;
    let mut session = Session { options, stores, ports, interrupt: Interrupt::catch()? };
    let played = session.scenes(&scenes, &peers, base, &out);
    let swept = peer::remove(&session.stores);
    let invalid = played?;
    swept?;
    Ok(u8::from(invalid))
}

impl Scene {
    /// Refuses what is no scene now, and not when the first server is up.
    fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
        let line = ["wattle-bench".to_owned()].into_iter().chain(words.iter().cloned());
        // What every run is given beside the scene's own options, so that they may not have it.
        let given = ["--insecure", "--port=1", "--json=x", "--label=x", "--pid=1"].map(str::to_owned);
        let matches = crate::options::Options::command()
            .try_get_matches_from(line.chain(given))
            .map_err(|e| format!("--scene '{text}': {}", e.to_string().trim_start_matches("error: ").trim_end()))?;
        let (_, scene) = matches.subcommand().ok_or_else(|| format!("--scene '{text}': write a scene, as 'chat'"))?;
        let accounts = *scene.get_one("accounts").unwrap_or(&100);
        Ok(Self { words, accounts })
    }
}

impl Session<'_> {
    /// Whether any run was not valid.
    fn scenes(&mut self, scenes: &[Scene], peers: &[Peer], base: usize, out: &Path) -> Result<bool, String> {
        let mut text = String::new();
        let mut invalid = false;
        for (n, scene) in scenes.iter().enumerate() {
            let folder = out.join(format!("{}-{}", n + 1, scene.words[0]));
            fs::create_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
            let mut summary = Summary::new(&scene.words.join(" "), peers, base);
            let done = self.rounds(scene, peers, &folder, &mut summary);
            text += &summary.text();
            text.push('\n');
            fs::write(out.join("summary.txt"), &text).map_err(|e| format!("summary.txt: {e}"))?;
            say(&format!("\n{}", summary.text()));
            invalid |= summary.has_invalid();
            done?;
        }
        say(&format!("All of it is in {}", self.options.out.display()));
        Ok(invalid)
    }

    fn rounds(&mut self, scene: &Scene, peers: &[Peer], folder: &Path, summary: &mut Summary) -> Result<(), String> {
        for round in 1..=self.options.rounds {
            for (n, peer) in peers.iter().enumerate() {
                let played = self.run(scene, peer, &folder.join(format!("{}-{round}", peer.name)))?;
                let what =
                    format!("{}, round {round} of {}, {}", scene.words.join(" "), self.options.rounds, peer.name);
                say(&format!("{what}: {}", played.line()));
                summary.add(n, played);
            }
        }
        Ok(())
    }

    /// One server, one scene. What is written of it begins with `file`.
    fn run(&mut self, scene: &Scene, peer: &Peer, file: &Path) -> Result<Played, String> {
        let template = self.template(scene, peer, file)?;
        let data = self.stores.join("run");
        peer::copy(&template, &data)?;
        let log = file.with_added_extension("log");
        let serving =
            peer.start(&self.options.scripts, (scene.accounts, &data, &log), &mut self.ports, &self.interrupt)?;
        let json = file.with_added_extension("json");
        let mut child = Command::new("/proc/self/exe")
            .args(&scene.words)
            .args(["--insecure", &format!("--port={}", serving.port), &format!("--label={}", peer.name)])
            .arg(format!("--json={}", json.display()))
            .args(serving.pids.iter().map(|pid| format!("--pid={pid}")))
            .stdin(Stdio::null())
            .stdout(fs::File::create(file.with_added_extension("txt")).map_err(|e| e.to_string())?)
            .spawn()
            .map_err(|e| format!("the scene did not start: {e}"))?;
        let status = self.await_end(&mut child)?;
        drop(serving);
        match status {
            Some(0 | 1) => Ok(Played::Result(Box::new(Run::read(&json)?))),
            // It has said on standard error why not.
            Some(2) => Ok(Played::NotAtAll),
            _ => Err(format!("{}: the scene's process was killed", peer.name)),
        }
    }

    fn await_end(&self, child: &mut Child) -> Result<Option<i32>, String> {
        loop {
            if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
                self.interrupt.check()?;
                return Ok(status.code());
            }
            if let Err(why) = self.interrupt.check() {
                let _ = child.kill();
                let _ = child.wait();
                return Err(why);
            }
            thread::sleep(TICK);
        }
    }

    /// A store with the accounts made, which the runs get copies of: so each is fresh, and none waits for that again.
    fn template(&mut self, scene: &Scene, peer: &Peer, file: &Path) -> Result<PathBuf, String> {
        let template = self.stores.join(format!("{}-{}", peer.name, scene.accounts));
        if !template.exists() {
            let log = file.with_added_extension("accounts.log");
            drop(peer.start(
                &self.options.scripts,
                (scene.accounts, &template, &log),
                &mut self.ports,
                &self.interrupt,
            )?);
        }
        Ok(template)
    }
}
