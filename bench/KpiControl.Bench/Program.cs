using KpiControl.Bench;

// ./dev bench lease [bindings] [rounds]
// ./dev bench security [bindings] [rounds]
// ./dev bench governance [bindings] [jobs]
// ./dev bench evidence [bindings] [rounds]
// ./dev bench time [percent] [case]
return args switch
{
    ["lease", ..] => await LeaseBench.RunAsync(bindings: Number(1, 100_000), rounds: Number(2, 3)),
    ["security", ..] => await SecurityBench.RunAsync(bindings: Number(1, 20_000), rounds: Number(2, 5)),
    ["governance", ..] => await GovernanceBench.RunAsync(bindings: Number(1, 100_000), jobs: Number(2, 1000)),
    ["evidence", ..] => await EvidenceBench.RunAsync(bindings: Number(1, 10_000), rounds: Number(2, 5)),
    ["time", ..] => await TimeBench.RunAsync(percent: Number(1, 100), only: args.Length > 2 ? args[2] : null),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("usage: bench lease [bindings, default 100000] [rounds, default 3]");
    Console.Error.WriteLine("       bench security [bindings, default 20000] [rounds, default 5]");
    Console.Error.WriteLine("       bench governance [bindings, default 100000] [jobs, default 1000]");
    Console.Error.WriteLine("       bench evidence [bindings, default 10000] [rounds, default 5]");
    Console.Error.WriteLine("       bench time [percent of the full size, default 100] [instants, load, signals, sla, outage or backfill, default all]");
    return 2;
}

int Number(int position, int otherwise) => args.Length > position ? int.Parse(args[position], System.Globalization.CultureInfo.InvariantCulture) : otherwise;
