namespace KpiControl.Samples.KpiService;

/// <summary><c>--data</c>, <c>--token-file</c> (or KPI_SERVICE_TOKEN), <c>--port-file</c>; ASP.NET reads <c>--urls</c> itself.</summary>
internal sealed record ServiceOptions(string Data, string Token, string? PortFile, string? Problem = null)
{
    public static ServiceOptions Read(IConfiguration configuration)
    {
        var data = configuration["data"] ?? "";
        if (!Directory.Exists(data))
            return new ServiceOptions("", "", null, "--data DIRECTORY: give the directory of the CSV files (samples/data)");
        var token = configuration["token-file"] is { } file && File.Exists(file) ? File.ReadAllText(file).Trim() : configuration["KPI_SERVICE_TOKEN"] ?? "";
        return token.Length < 16
            ? new ServiceOptions("", "", null, "--token-file FILE or KPI_SERVICE_TOKEN: give a bearer token of at least 16 characters; there is no way to do without")
            : new ServiceOptions(Path.GetFullPath(data), token, configuration["port-file"]);
    }
}

/// <summary>Where somebody who asked for port 0 reads which port it became; whole or absent.</summary>
internal static class PortFile
{
    public static async Task WriteAsync(string path, int port)
    {
        var part = path + ".part";
        await File.WriteAllTextAsync(part, FormattableString.Invariant($"{port}\n"));
        File.Move(part, path, overwrite: true);
    }
}
