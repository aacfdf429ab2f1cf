using System.Reflection;
using System.Runtime.Loader;
using System.Text;

namespace KpiControl.Control.Tests.Races;

/// <summary>
/// The product with one of its statements made wrong: the text is replaced inside the compiled assembly, which has no
/// switch for it, and loaded beside the true one. Padded with blanks, which SQL does not mind.
/// </summary>
internal sealed class StatementMutant : AssemblyLoadContext
{
    private static readonly string Folder = AppContext.BaseDirectory;
    private readonly byte[] _control;

    private StatementMutant(byte[] control) : base("mutant", isCollectible: true) => _control = control;

    /// <summary>Throws where the text is not there exactly once: a statement that was rewritten needs its mutant rewritten.</summary>
    public static StatementMutant Of(string text, string replacement)
    {
        var control = File.ReadAllBytes(Path.Combine(Folder, "kpi-control.dll"));
        if (text.Length > 0)
            Replace(control, Encoding.Unicode.GetBytes(text), Encoding.Unicode.GetBytes(replacement.PadRight(text.Length)));
        return new StatementMutant(control);
    }

    /// <summary>This test assembly's own code, against the changed product.</summary>
    public MethodInfo Method(Type type, string name) =>
        LoadFromAssemblyPath(type.Assembly.Location).GetType(type.FullName!, throwOnError: true)!.GetMethod(name, BindingFlags.Static | BindingFlags.Public)!;

    protected override Assembly? Load(AssemblyName assemblyName) =>
        assemblyName.Name == "kpi-control" ? LoadFromStream(new MemoryStream(_control)) : null;

    private static void Replace(byte[] image, byte[] text, byte[] replacement)
    {
        Assert.Equal(text.Length, replacement.Length);
        var places = new List<int>();
        // The user strings, which the code loads; the constant's copy in the metadata is read by nobody here, and is changed with it.
        for (var at = image.AsSpan().IndexOf(text); at >= 0;)
        {
            places.Add(at);
            var next = image.AsSpan(at + 1).IndexOf(text);
            at = next < 0 ? -1 : at + 1 + next;
        }
        Assert.True(places.Count is 1 or 2, $"Found {places.Count} times: {Encoding.Unicode.GetString(text)}");
        foreach (var at in places)
            replacement.CopyTo(image, at);
    }
}
