using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using KpiControl.Testing;

namespace KpiControl.Cli.Tests.Support;

/// <summary>npm's oidc-provider, a certified implementation, in a process of its own (tests/oidc); and a browser that logs in to it.</summary>
internal sealed partial class OidcProvider : IAsyncDisposable
{
    public const string Audience = "urn:kpi:control";
    private readonly Process process;

    private OidcProvider(Process process, string url, string secret) => (this.process, Url, Secret) = (process, url, secret);

    public string Url { get; }

    /// <summary>Of the client <c>ci</c>.</summary>
    public string Secret { get; }

    public static async Task<OidcProvider> StartAsync(CancellationToken token)
    {
        var secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var start = new ProcessStartInfo("node", [Repository.File("tests", "oidc", "provider.mjs")]) { RedirectStandardOutput = true, RedirectStandardInput = true, RedirectStandardError = true };
        start.Environment["CI_SECRET"] = secret;
        var process = Process.Start(start)!;
        var said = process.StandardError.ReadToEndAsync(CancellationToken.None);
        while (await process.StandardOutput.ReadLineAsync(token) is { } line)
            if (line.StartsWith("issuer ", StringComparison.Ordinal))
                return new OidcProvider(process, line["issuer ".Length..], secret);
        throw new InvalidOperationException($"The provider did not start (npm ci --prefix tests/oidc --ignore-scripts): {await said}");
    }

    /// <summary>It signs with another key from now on, and serves the former one no more.</summary>
    public async Task RotateAsync()
    {
        using var http = new HttpClient();
        using var answer = await http.PostAsync(new Uri(Url + "/test/rotate"), null);
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>What a person does in a browser: opens the page, logs in, agrees to whatever is asked, or gives up.</summary>
    public static async Task ConfirmAsync(string page, string account, bool aborts = false)
    {
        using var http = new HttpClient(new SocketsHttpHandler { CookieContainer = new CookieContainer() });
        var (at, html) = await ReadAsync(await http.GetAsync(new Uri(page)));
        for (var step = 0; Form().Match(html) is { Success: true } form; step++)
        {
            Assert.True(step < 10, $"The login goes round in circles: {html}");
            var fields = Input().Matches(form.Value).Select(m => (Name: Attribute(m.Value, "name"), Value: Attribute(m.Value, "value"))).Where(f => f.Name.Length > 0)
                .ToDictionary(f => f.Name, f => f.Name switch { "login" => account, "password" => "any", _ => f.Value });
            // Its button stands beside the form.
            var ends = aborts && html.Contains("name=\"abort\"", StringComparison.Ordinal);
            if (ends)
                fields["abort"] = "yes";
            (at, html) = await ReadAsync(await http.PostAsync(new Uri(at, Attribute(form.Value[..(form.Value.IndexOf('>') + 1)], "action") is { Length: > 0 } action ? action : at.PathAndQuery), new FormUrlEncodedContent(fields)));
            if (ends)
                return;
        }
    }

    private static async Task<(Uri At, string Html)> ReadAsync(HttpResponseMessage answer)
    {
        using (answer)
            return (answer.RequestMessage!.RequestUri!, await answer.Content.ReadAsStringAsync());
    }

    private static string Attribute(string tag, string name) =>
        WebUtility.HtmlDecode(Regex.Match(tag, $"""\b{name}="([^"]*)["]""").Groups[1].Value);

    public async ValueTask DisposeAsync()
    {
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    [GeneratedRegex("<form.*?</form>", RegexOptions.Singleline)]
    private static partial Regex Form();

    [GeneratedRegex("<input[^>]*>", RegexOptions.Singleline)]
    private static partial Regex Input();
}
