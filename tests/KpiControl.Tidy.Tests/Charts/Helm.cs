using System.Diagnostics;
using System.Text.RegularExpressions;
using k8s;
using k8s.Models;
using KpiControl.Testing;

namespace KpiControl.Tidy.Tests.Charts;

/// <summary>What the charts render, with every values file of theirs and with none.</summary>
internal static partial class Helm
{
    public static IReadOnlyList<(string Chart, string Values, string Text)> Rendered { get; } = [.. Render("kpi-control"), .. Render("kpi-agent")];

    public static IEnumerable<IKubernetesObject> Objects(string chart) =>
        Rendered.Where(r => r.Chart == chart).SelectMany(r => Strict(r.Text)).Cast<IKubernetesObject>();

    /// <exception cref="Exception">An unknown field, or a value of another type.</exception>
    public static IEnumerable<object> Strict(string text) =>
        Document().Split(text).Where(document => Content().IsMatch(document)).SelectMany(document => KubernetesYaml.LoadAllFromString(document, null, strict: true));

    private static IEnumerable<(string Chart, string Values, string Text)> Render(string chart) =>
        Directory.GetFiles(Repository.File($"charts/{chart}/ci")).Prepend("").Select(values => (chart, Path.GetFileName(values), Template(chart, values)));

    private static string Template(string chart, string values)
    {
        string[] options = values.Length == 0 ? [] : ["-f", values];
        using var helm = Process.Start(new ProcessStartInfo("bash",
            [Repository.File("scripts/helm.sh"), "4", "template", chart, Repository.File($"charts/{chart}"), .. options])
        { RedirectStandardOutput = true })!;
        var text = helm.StandardOutput.ReadToEnd();
        helm.WaitForExit();
        Assert.Equal(0, helm.ExitCode);
        return text;
    }

    [GeneratedRegex(@"^---\s*$", RegexOptions.Multiline)]
    private static partial Regex Document();

    [GeneratedRegex(@"^\w", RegexOptions.Multiline)]
    private static partial Regex Content();
}
