using CliWrap;
using CliWrap.EventStream;
using Vks.Bench.Arms;

namespace Vks.Tests.Bench;

/// <summary>The program that marks PID 1.</summary>
public sealed class TinyProgramTests
{
    [Fact]
    public async Task It_writes_its_text_and_stays()
    {
        string path = Path.GetTempFileName();
        await File.WriteAllBytesAsync(path, TinyProgram.Build("a mark\n"), TestContext.Current.CancellationToken);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        using CancellationTokenSource kill = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        kill.CancelAfter(TimeSpan.FromSeconds(20));
        List<string> said = [];
        bool ended = false;

        try
        {
            await foreach (CommandEvent happened in Cli.Wrap(path).WithValidation(CommandResultValidation.None).ListenAsync(kill.Token))
            {
                ended |= happened is ExitedCommandEvent;
                if (happened is StandardOutputCommandEvent line)
                {
                    said.Add(line.Text);
                    kill.CancelAfter(TimeSpan.FromMilliseconds(300));
                }
            }
        }
        catch (OperationCanceledException)
        {
            // By us, since it does not end.
        }

        File.Delete(path);
        Assert.Equal(["a mark"], said);
        Assert.False(ended);
    }
}
