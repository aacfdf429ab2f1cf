using System.Diagnostics;
using System.Text.Json;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Rest;

/// <summary>The README's lines for curl and grpcurl do what they say, run by a shell as they stand there.</summary>
public sealed class ReadmeTests(ControlFixture fixture) : IClassFixture<ControlFixture>
{
    // grpcurl is not in every package registry: buf is, asks for the same by reflection, and takes the address in one piece with the method.
    private const string Grpcurl = """
        grpcurl() {
          [ "$1" = -plaintext ] && [ "$2" = -H ] && [ "$4" = -d ] && [ $# = 7 ] || { echo "grpcurl takes other words here: $*" >&2; return 2; }
          "$BUF" curl --protocol grpc --http2-prior-knowledge -H "$3" --reflect-header '*' -d "$5" "http://$6/$7"
        }
        """;

    [Fact]
    public async Task Its_lines_post_the_specifications_example_read_it_pause_it_and_resume_it()
    {
        await fixture.Host.PutContractAsync(SampleTexts.Contract("cfo-ef-02.yaml"), TestContext.Current.CancellationToken);
        var blocks = (await File.ReadAllTextAsync(Repository.File("README.md"), TestContext.Current.CancellationToken)).Split("```sh\n")[1..].Select(b => b.Split("```")[0]).ToList();

        var answers = Documents(await ShellAsync(blocks.Single(b => b.StartsWith("curl", StringComparison.Ordinal)))).ToList();
        Assert.Equal(3, answers.Count);
        var posted = answers[0];
        Assert.True(posted.GetProperty("created").GetBoolean());
        Assert.StartsWith("sha256:", posted.GetProperty("content_hash").GetString(), StringComparison.Ordinal);
        Assert.Equal((posted.GetProperty("binding_id").GetInt64(), posted.GetProperty("def_id").GetInt64()), (answers[1].GetProperty("binding_id").GetInt64(), answers[1].GetProperty("def_id").GetInt64()));
        Assert.Equal(0, answers[2].GetProperty("runs").GetArrayLength());

        var states = Documents(await ShellAsync(Grpcurl + "\n" + blocks.Single(b => b.StartsWith("grpcurl", StringComparison.Ordinal)))).ToList();
        Assert.Equal([true, false], states.Select(s => s.TryGetProperty("paused", out var paused) && paused.GetBoolean()));
        Assert.Equal("month end", states[0].GetProperty("pause_reason").GetString());
    }

    private async Task<string> ShellAsync(string script)
    {
        var start = new ProcessStartInfo("bash", ["-euo", "pipefail", "-c", script])
        {
            WorkingDirectory = Repository.Root, RedirectStandardOutput = true, RedirectStandardError = true,
            Environment =
            {
                ["KPI_REST"] = fixture.Host.RestUrl, ["KPI_GRPC"] = new Uri(fixture.Host.GrpcUrl).Authority, ["KPI_TOKEN"] = fixture.Issuer.Token(), ["BUF"] = await Buf.PathAsync(),
            },
        };
        using var shell = Process.Start(start)!;
        var output = shell.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = await shell.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await shell.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(shell.ExitCode == 0, error + await output);
        return await output;
    }

    private static IEnumerable<JsonElement> Documents(string text)
    {
        var at = 0;
        var bytes = System.Text.Encoding.UTF8.GetBytes(text);
        while (bytes.AsSpan(at).ContainsAnyExcept(" \r\n\t"u8))
        {
            var reader = new Utf8JsonReader(bytes.AsSpan(at), new JsonReaderOptions { AllowMultipleValues = true });
            var document = JsonElement.ParseValue(ref reader);
            at += (int)reader.BytesConsumed;
            yield return document;
        }
    }
}
