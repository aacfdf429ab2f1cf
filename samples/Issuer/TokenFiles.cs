namespace KpiControl.Samples.Issuer;

/// <summary>Keeps a token in a file for an agent that runs longer than a token lives, as a platform's sidecar would.</summary>
internal sealed class TokenFiles(SigningKey key, string issuer, IReadOnlyList<string> wanted)
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    public async Task KeepFreshAsync(CancellationToken token)
    {
        using var timer = new PeriodicTimer(Lifetime / 4, TimeProvider.System);
        do
            WriteAll();
        while (await timer.WaitForNextTickAsync(token));
    }

    private void WriteAll()
    {
        foreach (var (name, path) in wanted.Select(w => w.Split('=', 2)).Select(p => (p[0], p[1])))
            PrivateFile.Write(path, key.Token(issuer, Principals.All[name], Lifetime));
    }
}
