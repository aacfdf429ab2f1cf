using KpiControl.Bench;

// ./dev bench lease [bindings]
if (args is not ["lease", ..])
{
    Console.Error.WriteLine("usage: bench lease [bindings, default 100000]");
    return 2;
}
return await LeaseBench.RunAsync(bindings: args.Length > 1 ? int.Parse(args[1], System.Globalization.CultureInfo.InvariantCulture) : 100_000);
