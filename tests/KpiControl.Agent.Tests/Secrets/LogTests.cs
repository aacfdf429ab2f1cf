using System.Text;
using KpiControl.Agent.Hosting;
using KpiControl.Agent.Secrets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace KpiControl.Agent.Tests.Secrets;

/// <summary>What the process logs while an attempt holds a secret.</summary>
public sealed class LogTests
{
    private const string Canary = "canary/81c4 \"log\"+";

    [Fact]
    public void A_secret_in_hand_is_in_no_line_whatever_its_form()
    {
        var secrets = new SecretsInHand();
        using var first = secrets.Hold(Canary);
        var second = secrets.Hold(Canary);
        second.Dispose();
        second.Dispose(); // counts once: the first still holds it
        foreach (var form in new[] { Canary, Uri.EscapeDataString(Canary), Convert.ToBase64String(Encoding.UTF8.GetBytes("user:" + Canary)), System.Text.Json.JsonSerializer.Serialize(Canary)[1..^1] })
        {
            var line = Line(secrets, $"driver said {form}", new InvalidOperationException($"refused {form}\nin two lines"));
            Assert.DoesNotContain("81c4", line, StringComparison.Ordinal);
            Assert.DoesNotContain(form, line, StringComparison.Ordinal);
            Assert.Contains("***", line, StringComparison.Ordinal);
            Assert.EndsWith(Environment.NewLine, line);
            Assert.Single(line.TrimEnd().Split('\n'));
        }
    }

    [Fact]
    public void A_released_value_is_forgotten()
    {
        var secrets = new SecretsInHand();
        secrets.Hold(Canary).Dispose();
        Assert.Contains(Canary, Line(secrets, Canary, null), StringComparison.Ordinal);
    }

    private static string Line(SecretsInHand secrets, string message, Exception? exception)
    {
        using var written = new StringWriter();
        new RedactedConsole(secrets, TimeProvider.System).Write(
            new LogEntry<string>(LogLevel.Warning, "KpiControl.Agent.Test", new EventId(1), message, exception, (text, _) => text), null, written);
        return written.ToString();
    }
}
