using System.CommandLine;

namespace Vks.Tests.Supervisor;

/// <summary>The Supervisor's command line.</summary>
public sealed class CommandLineTests
{
    [Theory]
    [InlineData("version", 0, "supervisor 0")]
    [InlineData("--help", 0, "The control plane of pods as microVMs")]
    public void It_answers_what_it_can(string argument, int exitCode, string words)
    {
        using StringWriter output = new();

        int code = Vks.Supervisor.CommandLine.Build().Parse([argument]).Invoke(new InvocationConfiguration { Output = output });

        Assert.Equal(exitCode, code);
        Assert.Contains(words, output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_verb_is_refused()
    {
        using StringWriter error = new();

        int code = Vks.Supervisor.CommandLine.Build().Parse(["reign"]).Invoke(new InvocationConfiguration { Output = TextWriter.Null, Error = error });

        Assert.NotEqual(0, code);
        Assert.Contains("'reign'", error.ToString(), StringComparison.Ordinal);
    }
}
