using Google.Protobuf;

namespace KpiControl.Cli.Output;

/// <summary>What a command prints on standard output, in the format asked for. JSON and YAML are REST's message, whole.</summary>
internal sealed class Answer(Surroundings world, OutputFormat format)
{
    public bool Wide => format == OutputFormat.Wide;
    public bool ForPeople => format is OutputFormat.Table or OutputFormat.Wide;

    public void Print(IMessage message, Action forPeople, Func<IEnumerable<string>> names)
    {
        switch (format)
        {
            case OutputFormat.Json:
                world.Out.WriteLine(ProtoJson.Format(message, indented: true));
                break;
            case OutputFormat.Yaml:
                world.Out.Write(YamlText.Of(ProtoJson.Node(message)));
                break;
            case OutputFormat.Name:
                foreach (var name in names())
                    world.Out.WriteLine(Talk.OneLine(name));
                break;
            default:
                forPeople();
                break;
        }
    }
}
