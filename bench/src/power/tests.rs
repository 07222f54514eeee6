//! Meters on a file system that is made up.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Choice, Shown, Source, best, command, hwmon, open, pmic, powercap};

/// A file system, which goes with the test.
struct Root(PathBuf);

impl Root {
    fn new(test: &str) -> Self {
        let root = std::env::temp_dir().join(format!("wattle-bench-power-{test}-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        Self(root)
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.0.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("{text}\n")).unwrap();
    }

    fn zone(&self, zone: &str, name: &str, energy_uj: u64) {
        self.write(&format!("sys/class/powercap/{zone}/name"), name);
        self.write(&format!("sys/class/powercap/{zone}/max_energy_range_uj"), "262143328850");
        self.write(&format!("sys/class/powercap/{zone}/energy_uj"), &energy_uj.to_string());
    }

    fn sensor(&self, chip: &str, name: &str, figures: &[(&str, &str)]) {
        self.write(&format!("sys/class/hwmon/{chip}/name"), name);
        for (file, figure) in figures {
            self.write(&format!("sys/class/hwmon/{chip}/{file}"), figure);
        }
    }

    fn vcgencmd(&self, program: &str) {
        fs::create_dir_all(self.0.join("usr/bin")).unwrap();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power").join(program);
        symlink(program, self.0.join("usr/bin/vcgencmd")).unwrap();
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn shows(source: &mut Option<Box<dyn Source>>) -> f64 {
    match source.as_mut().unwrap().show().unwrap() {
        Shown::Watts(figure) | Shown::Joules(figure) | Shown::Modelled { joules: figure, .. } => figure,
    }
}

#[test]
fn packages_are_added_with_their_memory_and_nothing_twice() {
    let root = Root::new("packages");
    root.zone("intel-rapl:0", "package-0", 262_143_000_000);
    root.zone("intel-rapl:0:0", "core", 5_000_000);
    root.zone("intel-rapl:0:1", "dram", 7_000_000);
    root.zone("intel-rapl:1", "package-1", 0);
    root.zone("intel-rapl:2", "psys", 9_000_000);
    root.zone("intel-rapl-mmio:0", "package-0", 262_143_000_000);
    root.write("sys/class/powercap/intel-rapl/enabled", "1");
    let mut source = powercap::open(&root.0).unwrap();
    assert_eq!(source.as_ref().unwrap().describe().name, "powercap package-0 + package-1 + dram");
    assert!(shows(&mut source).abs() < 1e-9);
    // The first package wraps, the second goes on, the memory does too; the rest is contained in them.
    root.zone("intel-rapl:0", "package-0", 1_000_000);
    root.zone("intel-rapl:0:0", "core", 6_000_000);
    root.zone("intel-rapl:0:1", "dram", 7_250_000);
    root.zone("intel-rapl:1", "package-1", 500_000);
    root.zone("intel-rapl:2", "psys", 19_000_000);
    root.zone("intel-rapl-mmio:0", "package-0", 1_000_000);
    assert!((shows(&mut source) - (0.328_850 + 1.0 + 0.25 + 0.5)).abs() < 1e-9);
}

#[test]
fn a_counter_that_goes_away_is_named() {
    let root = Root::new("gone");
    root.zone("intel-rapl:0", "package-0", 1);
    let mut source = powercap::open(&root.0).unwrap().unwrap();
    fs::remove_file(root.0.join("sys/class/powercap/intel-rapl:0/energy_uj")).unwrap();
    assert!(source.show().unwrap_err().contains("intel-rapl:0/energy_uj"));
}

#[test]
fn a_sensor_shows_power_or_current_and_voltage() {
    let root = Root::new("sensors");
    root.sensor("hwmon0", "cpu_thermal", &[("temp1_input", "41000")]);
    root.sensor("hwmon1", "amdgpu", &[("power1_average", "9000000")]);
    root.sensor("hwmon2", "ina226", &[("power1_input", "3125000"), ("curr1_input", "625"), ("in1_input", "5000")]);
    let mut source = hwmon::open(&root.0, None).unwrap();
    assert_eq!(source.as_ref().unwrap().describe().name, "hwmon ina226/1");
    assert!((shows(&mut source) - 3.125).abs() < 1e-9);
    assert!((shows(&mut hwmon::open(&root.0, Some("amdgpu")).unwrap()) - 9.0).abs() < 1e-9);

    fs::remove_file(root.0.join("sys/class/hwmon/hwmon2/power1_input")).unwrap();
    root.sensor("hwmon2", "ina226", &[("curr1_input", "800"), ("in1_input", "5100"), ("in0_input", "8")]);
    let mut source = hwmon::open(&root.0, None).unwrap();
    assert!((shows(&mut source) - 4.08).abs() < 1e-9);
}

#[test]
fn which_of_several_sensors_has_to_be_said() {
    let root = Root::new("several");
    root.sensor(
        "hwmon3",
        "ina3221",
        &[
            ("curr1_input", "1000"),
            ("in1_input", "19000"),
            ("in1_label", "VDD_IN"),
            ("curr2_input", "500"),
            ("in2_input", "19000"),
            ("in2_label", "VDD_CPU"),
        ],
    );
    let why = hwmon::open(&root.0, None).err().unwrap();
    assert!(why.contains("hwmon:hwmon3/1 (ina3221 VDD_IN), hwmon:hwmon3/2 (ina3221 VDD_CPU)"), "{why}");
    assert!((shows(&mut hwmon::open(&root.0, Some("ina3221/1")).unwrap()) - 19.0).abs() < 1e-9);
    assert!((shows(&mut hwmon::open(&root.0, Some("hwmon3/2")).unwrap()) - 9.5).abs() < 1e-9);
    let why = hwmon::open(&root.0, Some("ina219")).err().unwrap();
    assert!(why.contains("there are hwmon:hwmon3/1"), "{why}");
    assert!(open(&Choice::Best, &root.0).unwrap().err().unwrap()[0].contains("VDD_IN"));

    // The choice by itself passes it over, says why, and takes what comes next.
    root.zone("intel-rapl:0", "package-0", 1);
    let chosen = open(&Choice::Best, &root.0).unwrap().unwrap();
    assert_eq!(chosen.description().name, "powercap package-0");
    assert!(chosen.description().passed_over[0].contains("VDD_IN"));
}

#[test]
fn the_rails_of_a_pi_5_are_added() {
    let root = Root::new("pmic");
    root.vcgencmd("vcgencmd");
    // What has a voltage and no current is not a rail.
    let watts = 0.1 * 3.7 + 0.2 * 3.3 + 2.0 * 0.8 + 0.02 * 5.0;
    assert!((shows(&mut pmic::open(&root.0).unwrap()) - watts).abs() < 1e-9);
    root.zone("intel-rapl:0", "package-0", 1);
    assert!(best(&root.0, &mut Vec::new()).unwrap().describe().name.starts_with("pmic"));
}

#[test]
fn an_older_board_has_no_rails() {
    let root = Root::new("older");
    root.vcgencmd("vcgencmd-older");
    assert!(pmic::open(&root.0).unwrap().is_none());
    assert_eq!(open(&Choice::Best, &root.0).unwrap().err(), Some(Vec::new()));
    let why = open(&Choice::Pmic, &root.0).err().unwrap();
    assert!(why.contains("--power model:idle=WATTS,full=WATTS"), "{why}");
}

#[test]
fn a_command_prints_watts_or_is_told_off() {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut source = command::open(words("echo 3.42 W")).ok();
    assert!((shows(&mut source) - 3.42).abs() < 1e-9);
    for (line, told) in [
        ("echo many", "prints watts and nothing else, as 3.42"),
        ("echo -5", "prints watts and nothing else"),
        ("true", "prints watts and nothing else"),
        ("cat /nonexistent", "No such file"),
        ("/nonexistent", "No such file"),
        ("yes", "printed more than"),
    ] {
        let why = command::open(words(line)).err().unwrap();
        assert!(why.contains(told), "{line}: {why}");
    }
}

#[test]
fn energy_between_two_moments() {
    let root = Root::new("energy");
    root.zone("intel-rapl:0", "package-0", 1_000_000);
    let sampler = open(&Choice::Powercap, &root.0).unwrap().unwrap();
    let before = sampler.energy().unwrap();
    root.zone("intel-rapl:0", "package-0", 3_500_000);
    let spent = sampler.energy().unwrap().since(before);
    assert!((spent.joules - 2.5).abs() < 1e-9 && spent.watts().is_some_and(|watts| watts > 0.0));
    assert!(sampler.description().measured);

    root.write("proc/stat", "cpu  0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0");
    let sampler = open(&"model:idle=0,full=8".parse().unwrap(), &root.0).unwrap().unwrap();
    // One of two cores worked for ten milliseconds: as much as five of both.
    root.write("proc/stat", "cpu  1 0 0 0 0 0 0 0\ncpu0 1 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0");
    let spent = std::iter::repeat_with(|| sampler.energy().unwrap()).find(|spent| spent.at > Duration::from_millis(10));
    assert!((spent.unwrap().joules - 0.04).abs() < 1e-9);
    assert!(!sampler.description().measured);
}

#[test]
fn nonsense_gets_a_cure() {
    for (text, cure) in [
        ("solar", "write auto, none, hwmon"),
        ("none:1", "write auto, none, hwmon"),
        ("command:", "'command:PROGRAM ARGUMENTS'"),
        ("model:2.7", "model:idle=2.7,full=6.4"),
        ("model:idle=6,full=2", "less watts for idle than for full"),
        ("model:idle=1,full=2,sun=3", "nothing else"),
        ("model:idle=-1,full=2", "write the watts of the board"),
    ] {
        let why = text.parse::<Choice>().unwrap_err();
        assert!(why.contains(cure), "{text}: {why}");
    }
    assert_eq!("rapl".parse(), Ok(Choice::Powercap));
    assert_eq!("hwmon:ina226/1".parse(), Ok(Choice::Hwmon(Some("ina226/1".to_owned()))));
}
