using KpiControl.Bench;

// ./dev bench lease [bindings] [rounds]
if (args is not ["lease", ..])
{
    Console.Error.WriteLine("usage: bench lease [bindings, default 100000] [rounds, default 3]");
    return 2;
}
return await LeaseBench.RunAsync(bindings: Number(1, 100_000), rounds: Number(2, 3));

int Number(int position, int otherwise) => args.Length > position ? int.Parse(args[position], System.Globalization.CultureInfo.InvariantCulture) : otherwise;
