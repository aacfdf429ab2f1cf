using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using KpiControl.Agent.Secrets;

namespace KpiControl.Agent.Tests.Secrets;

public sealed class SecretTests
{
    [Fact]
    public async Task A_file_that_everybody_can_read_is_refused_by_reference()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "canary-3b1f\n");
        var reference = new SecretReference("file", file);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.OtherRead);
            var refused = await new FileSecrets().ResolveAsync(reference, default);
            Assert.Null(refused.Value);
            Assert.Contains("chmod 600", refused.Problem, StringComparison.Ordinal);
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
        var found = await new FileSecrets().ResolveAsync(reference, default);
        Assert.Equal("canary-3b1f", found.Value);
        Assert.DoesNotContain("canary", found.ToString(), StringComparison.Ordinal);
        File.Delete(file);
        Assert.Contains("does not exist", (await new FileSecrets().ResolveAsync(reference, default)).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_variable_that_is_not_set_is_named()
    {
        var missing = await new EnvironmentSecrets().ResolveAsync(new SecretReference("env", "KPI_TEST_NOT_SET"), default);
        Assert.Contains("env:KPI_TEST_NOT_SET", missing.Problem, StringComparison.Ordinal);
    }

    [Theory, InlineData("p@ss/wör d\"+1"), InlineData("simple-secret-0123456789"), InlineData("-----BEGIN KEY-----\nMIIB+/ä=\n-----END KEY-----")]
    public void A_secret_is_redacted_in_every_form_in_which_it_travels(string secret)
    {
        var redactor = new Redactor();
        redactor.Add(secret);
        var bytes = Encoding.UTF8.GetBytes(secret);
        var relaxed = JsonEncodedText.Encode(secret, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString();
        string[] forms =
        [
            // As a line of a log, in percent with small letters, and as Node, PHP and Python write JSON.
            secret.ReplaceLineEndings(" "), Regex.Replace(Uri.EscapeDataString(secret), "%..", two => two.Value.ToLowerInvariant()), relaxed, relaxed.Replace("/", "\\/", StringComparison.Ordinal),
            relaxed.Replace("ö", "\\u00f6", StringComparison.Ordinal).Replace("ä", "\\u00e4", StringComparison.Ordinal),
            secret, Uri.EscapeDataString(secret), System.Net.WebUtility.UrlEncode(secret), JsonSerializer.Serialize(secret)[1..^1],
            Convert.ToBase64String(bytes), Convert.ToHexString(bytes),
        ];
        foreach (var form in forms)
        {
            var said = redactor.Redact($"before {form} after");
            Assert.DoesNotContain(form, said, StringComparison.Ordinal);
            Assert.StartsWith("before ***", said);
        }
        foreach (var prefix in new[] { "u:", "us:", "use:" })
        {
            var embedded = Convert.ToBase64String(Encoding.UTF8.GetBytes(prefix + secret + ":end"));
            Assert.Contains("***", redactor.Redact(embedded), StringComparison.Ordinal);
        }
    }
}
